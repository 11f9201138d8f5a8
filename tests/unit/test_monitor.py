"""The monitor that Unison listens to: its protocol, as Unison 2.52 speaks it, and what it tells."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import pytest

from tests.unit.unison_side import Unison, root
from wrapper.monitor.folders import Inotify, Polled
from wrapper.monitor.known import CHANGED, EARLY
from wrapper.monitor.serving import below

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["root"]  # a fixture, for pytest to find here


@pytest.mark.parametrize("blind", [False, True], ids=["told by the kernel", "looking itself"])
def test_changes_are_told_once_with_the_names_they_have(blind: bool, root: Path) -> None:
    odd = os.fsdecode(b"odd\xff %41\nline")
    with Unison(root, blind=blind) as unison:
        unison.scan("", "deep")
        assert unison.is_quiet()
        (root / odd).touch()
        (root / "deep/new").mkdir()
        # One change: who writes into it makes it empty first, which may be seen by itself.
        (root.parent / "new").write_text("changed")
        (root.parent / "new").rename(root / "old")
        unison.all_changes({odd, "deep/new", "old"})
        assert unison.is_quiet()
        unison.scan("deep/new")
        (root / "deep/new/in it").symlink_to("nowhere")
        (root / "old").unlink()
        unison.all_changes({"deep/new/in it", "old"})


def test_unisons_own_writing_is_not_told_back_to_it(root: Path) -> None:
    with Unison(root) as unison:
        temporary = root / ".unison.old.dfa027b516ac0110.unison.tmp"
        temporary.write_text("brought")
        temporary.rename(root / "old")
        assert unison.is_quiet()
        (root / "old").write_text("changed by somebody")
        assert unison.changes() == {"old"}


def test_a_file_that_is_still_written_is_told_when_it_is_closed(root: Path) -> None:
    with Unison(root, patience=1000) as unison:
        with (root / "old").open("a") as stream:
            for _ in range(3):
                stream.write("more")
                stream.flush()
                (root / "other").touch()
                assert unison.changes() == {"other"}
        assert unison.changes() == {"old"}


RULES = "*.log\n/build/\n"


@pytest.fixture
def ruled(root: Path) -> tuple[str, ...]:
    """Words for a monitor that knows what git leaves out, and has seen nothing of it so far."""
    (root / ".gitignore").write_text(RULES)
    git, known = root.parent / "git", root.parent / "known"
    subprocess.run(["git", "init", "-q", "--bare", git], check=True)
    known.write_bytes(b"left/\0")
    return ("--git", str(git), "--known", str(known))


def test_what_git_leaves_out_is_not_told(root: Path, ruled: tuple[str, ...]) -> None:
    with Unison(root, *ruled) as unison:
        (root / "build").mkdir()
        for name in ("build/x", "x.log", ":(top)x.log", "-x.log", "!x", ":x", "seen"):
            (root / name).touch()
        unison.all_changes({"!x", ":x", "seen"})


@pytest.mark.parametrize("name", ["new/x.log", ".gitignore"], ids=["within a new folder", "a rule"])
def test_what_unison_cannot_know_ends_it(name: str, root: Path, ruled: tuple[str, ...]) -> None:
    with Unison(root, *ruled) as unison:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("*.csv\n")
        [why] = unison.changes()
        assert why.startswith(CHANGED)


MEANWHILE = {
    "a file": "x.log",
    "in a folder": "deep/x.log",
    "a folder": "build/x",
    "in a new folder": "new/deep/x.log",
}


@pytest.mark.parametrize("name", MEANWHILE.values(), ids=MEANWHILE.keys())
@pytest.mark.parametrize("lenient", [False, True], ids=["", "lenient"])
def test_what_is_left_out_and_came_before_unison_looks_ends_it(
    name: str, lenient: bool, root: Path, ruled: tuple[str, ...]
) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()
    with Unison(root, *ruled, *(["--lenient"] if lenient else []), scans=False) as unison:
        unison.begin()
        answer = os.fsdecode(unquote_to_bytes(unison.hear()))
        top = "build/" if name.startswith("build") else name
        assert answer == ("OK" if lenient else f"ERROR {EARLY}: {top}")


@pytest.mark.parametrize("name", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_what_is_left_out_and_came_while_unison_looks_ends_it(
    name: str, root: Path, ruled: tuple[str, ...]
) -> None:
    with Unison(root, *ruled, scans=False) as unison:
        unison.begin()
        assert unison.hear() == "OK"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
        parts = name.split("/")[:-1]
        folders = ["/".join(parts[:end]) for end in range(len(parts) + 1)]
        answers = [os.fsdecode(unquote_to_bytes(unison.enter(one))) for one in folders]
        at = 0 if name.startswith("build") else len(answers) - 1
        assert answers[:at] == ["OK"] * at
        assert answers[at].startswith(f"ERROR {EARLY}: ")


def test_what_is_known_or_not_left_out_lets_unison_look(root: Path, ruled: tuple[str, ...]) -> None:
    (root / "results").mkdir()
    for name in ("results/x.log", "left"):
        (root / name).touch()
    with (root.parent / "known").open("ab") as known:
        known.write(b"results/x.log\0build/\0gone.log\0")
    (root / ".gitignore").write_text(f"{RULES}/left\n")
    with Unison(root, *ruled) as unison:
        for name in ("seen", "results/seen", "deep/seen"):
            (root / name).touch()
        (root / "build").mkdir()
        unison.scan("", "deep", "results")


def test_a_rule_that_has_gone_before_unison_looks_ends_it(
    root: Path, ruled: tuple[str, ...]
) -> None:
    (root / "left").touch()
    with Unison(root, *ruled, scans=False) as unison:
        unison.begin()
        assert unquote_to_bytes(unison.hear()).decode() == f"ERROR {EARLY}"


def test_a_repository_within_is_asked_for_itself(root: Path, ruled: tuple[str, ...]) -> None:
    inner = root / "deep/inner"
    inner.mkdir()
    subprocess.run(["git", "init", "-q", inner], check=True)
    (inner / ".gitignore").write_text("*.csv\n")
    with Unison(root, *ruled) as unison:
        unison.scan("", "deep", "deep/inner")
        for name in ("x.csv", "x.log", "seen"):
            (inner / name).touch()
        unison.all_changes({"deep/inner/x.log", "deep/inner/seen"})


def test_a_repository_that_comes_to_be_ends_it(root: Path, ruled: tuple[str, ...]) -> None:
    with Unison(root, *ruled) as unison:
        unison.scan("", "deep")
        subprocess.run(["git", "init", "-q", root / "deep"], check=True)
        assert unison.changes() == {CHANGED}


def test_where_no_git_is_nothing_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root.parent / "none"))
    unasked = ("--git", str(root.parent / "git"), "--known", str(root.parent / "known"))
    with Unison(root, *unasked) as unison:
        (root / "new").mkdir()
        (root / "new/x.log").touch()
        assert unison.changes() == {"new"}


def test_where_changes_were_lost_everything_is_looked_at() -> None:
    assert below(b"/root", b"") == b""
    assert below(b"/root", b"/root") == b""
    assert below(b"/root", b"/root/a/b") == b"a/b"
    assert below(b"/root", b"/rooted/a") is None
    assert below(None, b"") is None


def test_folders_that_are_gone_are_nobodys_loss(root: Path) -> None:
    for eye in (Inotify(), Polled()):
        with pytest.raises(FileNotFoundError) if isinstance(eye, Inotify) else _nothing():
            eye.add(os.fsencode(root / "none"))
        eye.add(os.fsencode(root / "deep"))
        (root / "deep").rmdir()
        time.sleep(0.01)
        eye.read()
        (root / "deep").mkdir()


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
