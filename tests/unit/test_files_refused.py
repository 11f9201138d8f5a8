"""What is neither pushed nor pulled, or not to its end, and what is told then."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.carried import Ends, ends, fill, newer
from tests.unit.far_machine import contents
from wrapper import deployment, openssh, rsync
from wrapper.deployment import precautions
from wrapper.deployment.syncing import Wish
from wrapper.errors import DiskError, FailedError, NoAnswerError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ends"]  # a fixture, for pytest to find here


def test_a_home_directory_is_refused_unless_it_is_meant(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(ends.here))
    fill(ends.here, ".ssh/id", "a")
    ends.there.mkdir()
    calls: list[Callable[[], None]] = [
        ends.push,
        ends.pull,
        lambda: ends.push(source=Path("/")),
    ]
    for call in calls:
        with pytest.raises(SettingsError, match=r"a home directory|the root of a file system"):
            call()
    assert contents(ends.there) == set()
    ends.push(source=ends.here / ".ssh")
    ends.push(force=True)
    assert contents(ends.there) == {".ssh/id", "a"}


@pytest.mark.parametrize("target", ["~", "~/", "..", "/home/notebook/", "/", "//", "../.."])
def test_the_machines_home_is_neither_emptied_nor_brought_here(target: str, ends: Ends) -> None:
    with pytest.raises(SettingsError, match="--delete would empty"):
        ends.push(target=target, delete=True)
    with pytest.raises(SettingsError, match="would bring here"):
        deployment.sync(ends.world, "moon", ends.here, target, Wish())


@pytest.mark.parametrize("what", ["all of a disk", "somebody else's home", "what homes are in"])
def test_other_peoples_files_are_refused_unless_they_are_meant(
    what: str, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "disk"
    (source / "she").mkdir(parents=True)
    she = SimpleNamespace(pw_uid=1001, pw_dir=str(source / "she"))
    demon = SimpleNamespace(pw_uid=8, pw_dir=str(ends.here))
    monkeypatch.setattr("pwd.getpwall", lambda: [she, demon])
    with tmpfs(source) if what == "all of a disk" else nullcontext():
        if what == "somebody else's home":
            source /= "she"
        fill(source, "a")
        for call in (
            lambda: ends.push(source=source),
            lambda: ends.pull(source="~/work", target=source),
            lambda: deployment.sync(ends.world, "moon", source, None, Wish()),
        ):
            with pytest.raises(SettingsError, match=r"a home directory|root of a file system"):
                call()
        assert list((ends.home / "work").iterdir()) == []
        ends.push(source=source, force=True)
        ends.push()  # a service's home is none
    assert (ends.home / "work" / source.name / "a").exists()


@contextmanager
def tmpfs(folder: Path, size: int = 300) -> Iterator[None]:
    """A small disk is there, of so many KiB."""
    size_ = f"size={size * 1024}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size_, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("way", ["push", "pull"])
def test_a_full_disk_is_told_and_loses_nothing(way: str, ends: Ends) -> None:
    one, other = (ends.here, ends.there) if way == "push" else (ends.there, ends.here)
    other.mkdir(exist_ok=True)
    with tmpfs(other):
        fill(one, "a", "kept")
        getattr(ends, way)(force=True)
        (one / "big").write_bytes(os.urandom(2**20))
        (one / "kept").write_bytes(os.urandom(2**20))
        newer(one / "kept")
        before = (other / "kept").read_bytes()
        with pytest.raises(DiskError, match="A disk is full") as raised:
            getattr(ends, way)(force=True)
        assert "df -h" in str(raised.value.hint)
        assert not (other / "big").exists()
        assert (other / "kept").read_bytes() == before


@pytest.mark.parametrize(
    ("names", "clash"),
    [
        (["a", "B/c", "b/d"], "B and b"),
        (["deep/A", "deep/a", "x"], "deep/A and deep/a"),
        (["Ä", "ä"], "Ä and ä"),
        (["a", "b/a", "c/A"], None),
    ],
    ids=["folders", "files", "not only ASCII", "none"],
)
def test_a_pull_of_names_that_clash_here_is_refused(
    names: list[str], clash: str | None, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes A and a for one cannot be made here: how one is recognised is stood in."""
    assert not precautions.folds(ends.here / "none" / "yet")
    fill(ends.there, *names)
    monkeypatch.setattr("wrapper.deployment.bringing_files.folds", lambda _: True)
    if clash is None:
        ends.pull()
        assert contents(ends.here) == set(names)
        return
    with pytest.raises(FailedError, match=clash) as raised:
        ends.pull()
    assert "Rename" in str(raised.value.hint)
    assert contents(ends.here) == set()


def test_what_is_not_there_is_named(ends: Ends) -> None:
    with pytest.raises(FailedError, match="no work/nothing"):
        ends.pull(source="nothing")


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        pytest.param(24, "file has vanished: x", None, id="changed meanwhile"),
        pytest.param(11, "write failed: No space left on device (28)", DiskError, id="full disk"),
        pytest.param(127, "bash: rsync: command not found", FailedError, id="none there"),
        pytest.param(12, "bash: rsync: command not found", FailedError, id="likewise"),
        pytest.param(255, "Connection refused", NoAnswerError, id="no connection"),
        pytest.param(23, "open x: Permission denied", FailedError, id="one file not"),
    ],
)
def test_how_rsync_ends_is_told(code: int, said: str, error: Any) -> None:
    if error is None:
        rsync._judge(code, said)
        return
    with pytest.raises(error, match=said.split("(", maxsplit=1)[0]) as raised:
        rsync._judge(code, said)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("rsync  version 3.2.7  protocol version 31", True),
        ("rsync version 3.4.0 protocol version 32", True),
        ("rsync  version 3.1.3  protocol version 31", False),
        ("openrsync: protocol version 29\nrsync version 2.6.9 compatible", False),
        ("", False),
    ],
)
def test_an_rsync_that_is_too_old_is_refused(
    version: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "rsync"
    program.write_text(f"#!/bin/sh\ncat <<E\n{version}\nE\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if fits:
        assert rsync.program() == str(program)
        return
    with pytest.raises(FailedError, match=r"3\.2\.3 is needed"):
        rsync.program()


def test_a_program_that_is_missing_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for call in (rsync.program, lambda: openssh.program("ssh")):
        with pytest.raises(FailedError, match="is missing on this computer") as raised:
            call()
        assert "apt-get install" in str(raised.value.hint)
