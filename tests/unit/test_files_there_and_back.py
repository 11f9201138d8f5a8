"""`push` and `pull`: the real rsync at both ends, with a stand-in for the way between."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, git_ignored, openssh, rsync
from wrapper.deployment import How, precautions, ssh
from wrapper.deployment.syncing import Wish
from wrapper.errors import DiskError, FailedError, NoAnswerError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account
    from wrapper.deployment.world import World

ODD = (
    *("a b", "ü", "-n", "$(touch x)", "quote'\"", "star*[1]?", "back\\slash", "new\nline", "a:b"),
    *(" edges ", os.fsdecode(b"no\xffutf\xfe")),
)

# What sshd does: the words are joined, and a shell reads them in the user's home directory.
SSH = """#!{python}
import os, sys
words = sys.argv[sys.argv.index("clouds-moon") + 1 :]
words = words[1:] if words[:1] == ["--"] else words
os.chdir({home!r})
os.execve("/bin/sh", ["sh", "-c", " ".join(words)], os.environ | {{"HOME": {home!r}}})
"""


class Ends:
    """A folder here, and the machine's home directory."""

    def __init__(self, here: Path, home: Path, world: World) -> None:
        self.here, self.home, self.world = here, home, world
        self.there = home / "work" / here.name

    def push(self, target: str | None = None, source: Path | None = None, **how: bool) -> None:
        deployment.push(self.world, "moon", source or self.here, target, How(**how))

    def pull(self, source: str | None = "project", target: Path | None = None, **how: bool) -> None:
        deployment.pull(self.world, "moon", source, target or self.here, How(**how))


@pytest.fixture
def ends(tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Ends:
    here, home, tools = (tmp_path / one for one in ("project", "far away", "tools"))
    folder = tmp_path / "it's data" / "moon" / "ssh"
    for one in (here, home / "work", tools, folder):
        one.mkdir(parents=True)
    (tools / "ssh").write_text(SSH.format(python=sys.executable, home=str(home)))
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(ssh, "connect", lambda *_: folder)
    world = bare_world(tmp_path, account, StandIn(), [])
    return Ends(here, home, _with_path(world))


def _with_path(world: World) -> World:
    return dataclasses.replace(world, environment={**os.environ, **world.environment})


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(f"of {folder.name}: {name}"))


def contents(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()}


def newer(path: Path, by: int = 100) -> None:
    now = path.stat().st_mtime + by
    os.utime(path, (now, now))


def test_a_folder_is_there_under_its_name_with_odd_ones_in_it(ends: Ends) -> None:
    fill(ends.here, *ODD, "deep/er/file")
    ends.push()
    assert contents(ends.there) == contents(ends.here) == {*ODD, "deep/er/file"}
    assert (ends.there / "a b").read_text() == "of project: a b"


@pytest.mark.parametrize("dry_run", [False, True], ids=["done", "only told"])
def test_what_goes_is_listed_by_name(
    dry_run: bool, ends: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(ends.here, "a b", "deep/c", "both")
    fill(ends.there, "gone", "both")
    newer(ends.there / "both")
    (ends.here / "out").symlink_to("/etc/passwd")
    how = How(listed=True, delete=True, dry_run=dry_run)
    moved = deployment.push(ends.world, "moon", ends.here, None, how)
    assert set(moved.changed) == {"a b", "deep/c"}
    assert (moved.deleted, moved.newer) == (("gone",), ("both",))
    assert len(moved.left_out) == 1
    assert "out" in moved.left_out[0]
    assert capfd.readouterr().out == ""
    assert (ends.there / "gone").exists() == dry_run
    back = deployment.pull(ends.world, "moon", "project", ends.here, How(listed=True))
    assert set(back.changed) == ({"both", "gone"} if dry_run else {"both"})


def test_it_comes_back_as_it_was(ends: Ends) -> None:
    fill(ends.there, *ODD, "deep/er/file")
    ends.pull()
    assert contents(ends.here) == {*ODD, "deep/er/file"}


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_one_file_goes_there_and_back(name: str, ends: Ends) -> None:
    fill(ends.here, name)
    ends.push(source=ends.here / name)
    assert contents(ends.home / "work") == {name}
    (ends.here / name).unlink()
    ends.pull(source=name)
    assert contents(ends.here) == {name}


def test_a_folder_of_another_name_may_be_named(ends: Ends) -> None:
    fill(ends.here, "a")
    ends.push(target="some/where else")
    assert contents(ends.home / "work/some/where else") == {"a"}
    ends.pull(source="~/work/some/where else", target=ends.here / "new")
    assert contents(ends.here / "new") == {"a"}


@pytest.mark.parametrize("overwrite", [False, True], ids=["stays", "goes when told"])
def test_what_is_newer_at_the_other_end(
    overwrite: bool, ends: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(ends.here, "a")
    fill(ends.there, "a")
    (ends.there / "a").write_text("edited there")
    newer(ends.there / "a")
    ends.push(overwrite=overwrite)
    assert ((ends.there / "a").read_text() == "edited there") is not overwrite
    assert ("a is newer" in capfd.readouterr().out) is not overwrite
    (ends.there / "a").write_text("edited there")
    newer(ends.here / "a", by=1000)
    ends.pull(overwrite=overwrite)
    assert ((ends.here / "a").read_text() == "edited there") is overwrite


@pytest.mark.parametrize("delete", [False, True], ids=["stays", "goes when told"])
def test_what_is_not_here_any_more(delete: bool, ends: Ends) -> None:
    fill(ends.here, "a")
    fill(ends.there, "a", "old")
    ends.push(delete=delete)
    assert contents(ends.there) == ({"a"} if delete else {"a", "old"})


def test_a_dry_run_tells_and_changes_nothing(ends: Ends, capfd: pytest.CaptureFixture[str]) -> None:
    fill(ends.here, "a")
    fill(ends.there, "old")
    ends.push(dry_run=True, delete=True)
    assert contents(ends.there) == {"old"}
    told = capfd.readouterr().out
    assert "a\n" in told
    assert "deleting old" in told.replace("*deleting  ", "deleting")


IGNORE = "*.log\n!kept.log\n/build/\nodd[[]1]\nback\\\\slash\n"
LEFT_OUT = ("x.log", "deep/y.log", "build/z", "odd[1]", "back\\slash")
KEPT = ("kept.log", "deep/build/z", "odd1", ".gitignore")


@pytest.mark.parametrize("repository", [True, False], ids=["repository", "none"])
def test_what_git_leaves_out_is_left_out_and_left_alone(repository: bool, ends: Ends) -> None:
    if repository:
        subprocess.run(["git", "init", "-q", ends.here], check=True)
    fill(ends.here, *LEFT_OUT, *KEPT)
    (ends.here / ".gitignore").write_text(IGNORE)
    fill(ends.there, "x.log", "gone")
    ends.push(delete=True)
    assert contents(ends.there) == {*KEPT, "x.log"}
    assert (ends.there / "x.log").read_text() == "of project: x.log"
    assert not (ends.there / ".git").exists()


def test_all_of_it_goes_when_told_but_the_repository_itself(ends: Ends) -> None:
    subprocess.run(["git", "init", "-q", ends.here], check=True)
    fill(ends.here, *LEFT_OUT, *KEPT)
    (ends.here / ".gitignore").write_text(IGNORE)
    ends.push(gitignore=False)
    assert contents(ends.there) == {*LEFT_OUT, *KEPT}


RULES = "*.log\n!kept.log\n/build/\n"
RULED = {
    "an exception there": ("there/.gitignore", RULES, "x.log kept.log a/build/b", "x.log"),
    "a folder there": ("there/.gitignore", RULES, "build/a a/build/b", "build/a"),
    "in a folder there": ("there/a/.gitignore", RULES, "x.log a/x.log a/kept.log", "a/x.log"),
    "all but one there": ("there/.gitignore", "a/*\n!a/b/", "a/x a/b/c", "a/x"),
    "of the folder here": ("here/.gitignore", RULES, "x.log a/kept.log", "x.log"),
    "of one above": ("above/.gitignore", "*.log\n/project/a/", "x.log a/b c/a/d", "x.log a/b"),
    "of the repository": ("above/.git/info/exclude", "/project/a", "a b/a", "a"),
    "of the user": ("above/.config/git/ignore", "*.log", "x.log a", "x.log"),
}


@pytest.mark.parametrize(
    ("case", "new"),
    [(one, new) for one in RULED for new in (False, True) if "above/" in RULED[one][0] or not new],
    ids=lambda value: {True: "not there yet", False: "there"}.get(value, value),
)
def test_what_git_leaves_out_at_either_end_is_not_pulled(case: str, new: bool, ends: Ends) -> None:
    rules, text, names, left_out = RULED[case]
    subprocess.run(["git", "init", "-q", ends.here.parent], check=True)
    fill(ends.there, *names.split())
    named(ends, rules).parent.mkdir(parents=True, exist_ok=True)
    named(ends, rules).write_text(text)
    if new:
        ends.here.rmdir()
    ends.pull()
    found = {one for one in contents(ends.here) if ".gitignore" not in one}
    assert found == set(names.split()) - set(left_out.split())


def named(ends: Ends, path: str) -> Path:
    end, _, name = path.partition("/")
    return {"here": ends.here, "there": ends.there, "above": ends.here.parent}[end] / name


@pytest.mark.parametrize("repository", ["here", "there", "there/within"])
def test_what_a_repository_has_though_a_rule_leaves_it_out_is_pulled(
    repository: str, ends: Ends
) -> None:
    folder = named(ends, repository)
    fill(folder, "x.log")
    (folder / ".gitignore").write_text("*.log\n")
    for words in (["init", "-q"], ["add", "-f", "x.log"]):
        subprocess.run(["git", "-C", folder, *words], check=True)
    (folder / "x.log").unlink()
    theirs = ends.there / "within" if "within" in repository else ends.there
    fill(theirs, "x.log", "y.log")
    ends.pull()
    found = {one for one in contents(ends.here) if one.endswith(".log")}
    assert found == {str(theirs.relative_to(ends.there) / "x.log")}


def test_a_folder_that_its_repository_leaves_out_is_pulled_when_it_is_named(ends: Ends) -> None:
    subprocess.run(["git", "init", "-q", ends.here], check=True)
    (ends.here / ".gitignore").write_text("data/\n*.log\n")
    fill(ends.there, "data/a", "data/x.log")
    for _ in range(2):  # it is not there, and is
        ends.pull(source="project/data", target=ends.here / "data")
        assert contents(ends.here / "data") == {"a", "x.log"}


def test_without_a_git_here_the_machines_says_it(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "git" else which(name))
    ends.there.mkdir()
    (ends.there / ".gitignore").write_text("*.log\n")
    fill(ends.there, "x.log", "a")
    ends.pull()
    assert contents(ends.here) == {".gitignore", "a"}


def test_a_pull_leaves_alone_what_git_ignores_here(ends: Ends) -> None:
    fill(ends.here, "x.log", "old")
    (ends.here / ".gitignore").write_text("*.log\n")
    fill(ends.there, "a", "y.log")
    ends.pull(delete=True)
    assert contents(ends.here) >= {"a", "x.log"}
    assert "old" not in contents(ends.here)


def test_links_within_go_and_links_out_of_the_tree_do_not(
    ends: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(ends.here, "a")
    for name, leads in {"in": "a", "out": "/etc/passwd", "up": "../other", "gone": "none"}.items():
        (ends.here / name).symlink_to(leads)
    ends.push()
    assert {one.name for one in ends.there.iterdir()} == {"a", "in", "gone"}
    told = capfd.readouterr()
    assert "out" in told.out + told.err


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


def test_a_file_that_changes_while_it_is_read_is_never_half_new(ends: Ends) -> None:
    (ends.here / "log").write_bytes(b"0" * 2**22)
    with writing(ends.here / "log"):
        for _ in range(4):
            with suppress(FailedError):
                ends.push()
            sent = (ends.there / "log").read_bytes() if (ends.there / "log").exists() else b""
            assert set(sent[2**22 :]) <= set(b"line\n")
    ends.push()
    assert (ends.there / "log").read_bytes() == (ends.here / "log").read_bytes()


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Somebody appends to it all the time."""
    over = threading.Event()

    def write() -> None:
        with file.open("ab", buffering=0) as stream:
            while not over.wait(0.0005):
                stream.write(b"line\n")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


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


def test_git_is_asked_without_the_callers_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitignore").write_text("x\n")
    (tmp_path / "x").touch()
    given = {**os.environ, "GIT_DIR": "/nowhere"}
    assert git_ignored.names(tmp_path, given) == [b"x"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_ignored.names(tmp_path, given) is None
