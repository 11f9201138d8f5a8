"""A `sync` whose connection is lost, that was cut off, or that another one runs beside."""

from __future__ import annotations

import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.far_machine import contents
from tests.unit.synced import Ends, ends, fill
from wrapper import deployment, unison
from wrapper.deployment import ssh
from wrapper.deployment.events import News
from wrapper.deployment.syncing import Wish
from wrapper.errors import AwsError, CloudsError, LockedError, NoAnswerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ends"]  # a fixture, for pytest to find here


def test_a_watch_goes_on_when_the_connection_was_lost(
    ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.syncing._AGAIN", 0.05)
    fill(ends.here, "a")
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    # Unison waits for changes by then, or has just begun: it is the same to who watches.
    # What git is asked before, over connections of its own, may take its time.
    limited = 'import shlex; words = ["timeout 1 sh -c", shlex.quote(" ".join(words[2:]))]'
    tool.write_text(whole.replace("words = words[2:]", limited))
    assert limited in tool.read_text()
    said: list[str] = []

    def report(event: Any) -> None:
        said.append(event.text)
        if isinstance(event, News):
            tool.write_text(whole)
            fill(ends.here, "b")
        if "b" in event.text.split():
            raise KeyboardInterrupt

    ends.world = dataclasses.replace(ends.world, report=report)
    with pytest.raises(KeyboardInterrupt):
        ends.sync(watch=True)
    assert any(one.startswith("The connection ended") for one in said)
    assert "The machine is reached again" in said


def test_two_pairs_of_one_deployment_keep_out_of_each_others_way(
    ends: Ends, tmp_path: Path
) -> None:
    """The other one begins when this one has said what it will do, and has not begun to do it."""
    fill(ends.here, "a")
    other = tmp_path / "other"
    fill(other, "b")
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    marker, go = tmp_path / "begun", tmp_path / "go"
    waits = f"""import os, time
if "-server" in " ".join(os.sys.argv) and not os.path.exists({str(marker)!r}):
    open({str(marker)!r}, "w").close()
    while not os.path.exists({str(go)!r}):
        time.sleep(0.02)
"""
    tool.write_text(whole.replace("import os, sys\n", "import os, sys\n" + waits))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ends.sync, delete=True)
        while not marker.exists():
            assert not first.done()
            time.sleep(0.01)
        with pytest.raises(LockedError, match="together already") as raised:
            ends.sync()
        assert f"kill {os.getpid()}" in str(raised.value.hint)
        deployment.sync(ends.world, "moon", other, None, Wish())
        go.touch()
        assert first.result() == unison.Outcome()
    assert contents(ends.there) == contents(ends.here) == {"a"}
    assert contents(ends.home / "work/other") == {"b"}
    ends.sync()


def test_a_sync_that_was_cut_off_is_in_nobodys_way(ends: Ends) -> None:
    """Unison leaves locks at both ends then."""
    fill(ends.here, "a")
    ends.sync()
    memories = (ends.home / ".unison", ends.here.parent / "it's data/moon/ssh/unison")
    for memory in memories:
        [archive] = memory.glob("ar*")
        archive.with_name(f"lk{archive.name[2:]}").touch()
    (ends.here / "a").write_text("changed")
    ends.sync()
    assert (ends.there / "a").read_text() == "changed"


@pytest.mark.parametrize(
    "why",
    [
        pytest.param(AwsError("AWS cannot be reached"), id="this computer is offline"),
        pytest.param(NoAnswerError("The machine of moon is stopped."), id="the machine stopped"),
    ],
)
def test_a_watch_waits_until_it_can_go_on(
    why: CloudsError, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline neither the machine is reached, nor AWS, which would say where it is."""
    monkeypatch.setattr("wrapper.deployment.syncing._AGAIN", 0.05)
    fill(ends.here, "a")
    ends.sync()
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    folder = ssh.connect(ends.world, "moon")
    tool.write_text("#!/bin/sh\necho no route to host >&2\nexit 255\n")
    asked: list[str] = []
    said: list[str] = []

    def connect(*_: object) -> Path:
        if not said:  # before the watch
            return folder
        if len(asked) < 2:
            asked.append("AWS")
            raise why
        tool.write_text(whole)
        return folder

    def report(event: Any) -> None:
        said.append(event.text)
        if isinstance(event, News) and "again" in event.text and asked:
            raise KeyboardInterrupt

    monkeypatch.setattr(ssh, "connect", connect)
    ends.world = dataclasses.replace(ends.world, report=report)
    with pytest.raises(KeyboardInterrupt):
        ends.sync(watch=True)
    assert asked == ["AWS", "AWS"]
    assert said.count(why.message) == 1
    assert said[-1] == "The machine is reached again"
