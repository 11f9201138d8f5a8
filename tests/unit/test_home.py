"""A deployment's directory: private, never half written, worked on by one command at a time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wrapper import home as homes
from wrapper.errors import DiskError, FailedError, LockedError
from wrapper.home import Home, Place, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = Record(
    name="x",
    place=Place("aws", "eu-central-1", "123456789012"),
    outputs={"instance_id": "i-0123456789abcdef0"},
    instance_ids=("i-0123456789abcdef0",),
    seconds={"conda": 12.5},
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "data" / "x")
    made.create()
    return made


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_is_its_owners_alone(home: Home) -> None:
    assert _mode(home.path) == 0o700


def test_a_record_comes_back_as_it_was(home: Home) -> None:
    home.remember(RECORD)
    assert home.record() == RECORD
    assert RECORD.instance_id == "i-0123456789abcdef0"


def test_what_a_newer_version_remembers_is_no_damage(home: Home) -> None:
    home.remember(RECORD)
    file = home.path / "deployment.json"
    file.write_text(file.read_text().replace("{", '{"from_the_future": 1,', 1))
    assert home.record() == RECORD


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}', "null"])
def test_a_damaged_record_is_an_error_that_names_the_file(home: Home, content: str) -> None:
    (home.path / "deployment.json").write_text(content)
    with pytest.raises(FailedError, match=r"deployment\.json"):
        home.record()


def test_files_are_its_owners_alone_even_with_an_open_umask(home: Home) -> None:
    before = os.umask(0)
    try:
        home.write_password("secret")
        home.write_variables({"name": "x"})
        home.remember(RECORD)
    finally:
        os.umask(before)
    for name in ("password", "terraform.tfvars.json", "deployment.json"):
        assert _mode(home.path / name) == 0o600
    assert home.password() == "secret"


def test_a_write_that_fails_leaves_the_old_content_and_no_rubbish(home: Home) -> None:
    home.write_password("old")
    with pytest.raises(UnicodeEncodeError):
        home.write("password", "\ud800")
    assert home.password() == "old"
    assert [path.name for path in home.path.iterdir()] == ["password"]


def test_a_full_disk_is_an_error_with_a_way_out() -> None:
    with pytest.raises(DiskError) as caught:
        homes.write_private(Path("/proc/1/nowhere/x"), "content")
    assert "df -h" in (caught.value.hint or "")


def test_emptying_keeps_only_where_it_was(home: Home) -> None:
    home.remember(RECORD)
    home.write_password("secret")
    (home.path / "module").mkdir()
    (home.path / "module" / "main.tf").write_text("")
    home.empty()
    assert [path.name for path in home.path.iterdir()] == ["deployment.json"]


HOLDER = """
    import subprocess, sys, time
    from pathlib import Path
    from wrapper.home import Home
    home = Home(Path(sys.argv[1]))
    with home.locked("up x") as lock:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
        print(child.pid, flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(home.path)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("settings", "chosen", "machines", "last"),
    [
        ({"instance_type": "m7g.large"}, {}, ("i-1",), "m7g.large"),
        ({"instance_type": "m7g.large"}, {"instance_type": "c7g.large"}, ("i-1",), "c7g.large"),
        ({}, {}, ("i-1",), "t3.large"),
        ({"instance_type": "m7g.large"}, {}, (), "m5.large"),
    ],
    ids=["asked for", "chosen instead", "the default", "never made"],
)
def test_what_is_ended_remembers_the_type_of_its_last_machine(
    home: Home,
    settings: dict[str, Any],
    chosen: dict[str, Any],
    machines: tuple[str, ...],
    last: str,
) -> None:
    place = Place("aws", "eu-central-1", "1")
    record = Record(home.name, place, settings, chosen, instance_ids=machines, last_type="m5.large")
    home.end(record)
    ended = home.record()
    assert ended == Record(home.name, place, ended=True, last_type=last)


def test_a_second_command_is_told_who_works_on_it(
    home: Home, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(LockedError, match=rf"process {holder.pid} \(`up x`\)") as told:
            home.locked("down x").__enter__()
        assert str(told.value.hint).endswith(f": kill {holder.pid}")
        # The command is killed; the Terraform that it started goes on, and so does the lock.
        holder.kill()
        holder.wait()
        with pytest.raises(LockedError, match="still finishes"):
            home.locked("down x").__enter__()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.kill()
        holder.wait()
    with _eventually_locked(home):
        assert (home.path / "lock").read_text() == f"{os.getpid()} down x\n"


@contextmanager
def _eventually_locked(home: Home) -> Iterator[None]:
    until = time.monotonic() + 10
    lock = home.locked("down x")
    while True:
        try:
            lock.__enter__()
            break
        except LockedError:
            assert time.monotonic() < until, "the lock was never let go"
            time.sleep(0.05)  # a killed child's descriptors close a moment later
            lock = home.locked("down x")
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_DATA_HOME": "/data", "HOME": "/h"}, "/data/jupyter-clouds"),
        ({"HOME": "/h"}, "/h/.local/share/jupyter-clouds"),
        ({"XDG_DATA_HOME": "", "HOME": "/h"}, "/h/.local/share/jupyter-clouds"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/jupyter-clouds"),
    ],
    ids=["named", "default", "empty", "relative"],
)
def test_deployments_are_where_the_xdg_specification_says(
    environment: dict[str, str], expected: str
) -> None:
    assert str(homes.root(environment)) == expected


def test_deployments_are_listed_by_name(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    assert homes.homes(environment) == []
    for name in ("b", "a"):
        made = Home(homes.root(environment) / name)
        made.create()
        made.remember(RECORD)
    (homes.root(environment) / "stray").mkdir()
    assert [one.name for one in homes.homes(environment)] == ["a", "b"]
