"""What git leaves out is neither pushed nor pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.carried import Ends, ends, fill
from tests.unit.far_machine import contents
from wrapper import git_ignored

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ends"]  # a fixture, for pytest to find here

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


def test_git_is_asked_without_the_callers_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitignore").write_text("x\n")
    (tmp_path / "x").touch()
    given = {**os.environ, "GIT_DIR": "/nowhere"}
    assert git_ignored.names(tmp_path, given) == [b"x"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_ignored.names(tmp_path, given) is None
