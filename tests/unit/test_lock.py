"""Who is told to hold a lock, when the process that took it is gone and its child is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wrapper import unison
from wrapper.errors import LockedError
from wrapper.lock import Holder

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
# As a sync that is killed, whose Unison goes on.
KILLED = """
import subprocess, sys
from pathlib import Path
from wrapper import unison
folder = Path(sys.argv[1])
pair = unison.Pair(here=folder / "here", there="work", ssh=folder)
with unison.locked(pair) as lock:
    child = subprocess.Popen(["cat", "-", pair.profile], pass_fds=[lock], stdin=sys.stdin)
    print(child.pid, flush=True)
    child.wait()
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that was killed; what it started goes on until the end of the test."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout
        command.stdout.readline()
        command.kill()
        command.wait()
        yield command


def test_a_unison_that_outlives_its_command_is_named_and_not_the_command(
    killed: subprocess.Popen[str], tmp_path: Path
) -> None:
    pair = unison.Pair(here=tmp_path / "here", there="work", ssh=tmp_path)
    with pytest.raises(LockedError, match="a command that is gone") as raised:
        unison.locked(pair).__enter__()
    hint = str(raised.value.hint)
    assert str(killed.pid) not in hint
    assert hint.endswith(f"pkill -f {pair.profile}")


@pytest.mark.parametrize(
    ("pid", "lives"),
    [(str(os.getpid()), True), ("1", True), ("", False), ("x", False)],
    ids=["this", "another user's", "none", "nonsense"],  # each worker of xdist's has the same ones
)
def test_a_holder_lives_as_long_as_its_process(pid: str, lives: bool) -> None:
    assert Holder(pid, "up").lives is lives
