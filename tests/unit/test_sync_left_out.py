"""What git leaves out at either end stays where it is at a `sync`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.far_machine import ODD, contents
from tests.unit.synced import Ends, ends, fill, git
from wrapper.git_ignored import Git
from wrapper.monitor.rules import Tree

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ends"]  # a fixture, for pytest to find here


@pytest.mark.parametrize("end", ["here", "there"])
@pytest.mark.parametrize("name", [*ODD, "\tt\r"], ids=ascii)
def test_an_ignored_file_of_an_odd_name_stays_where_it_is(name: str, end: str, ends: Ends) -> None:
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, f"left/{name}", "left/kept", name)
    (one / ".gitignore").write_text("left/*\n!left/kept\n")
    ends.sync()
    assert contents(other) == {".gitignore", "left/kept", name}


def test_what_git_leaves_out_stays_where_it_is(ends: Ends) -> None:
    fill(ends.here, "a", "x.log", "build/z", "odd [1],{2}", ".git/config")
    (ends.here / ".gitignore").write_text("*.log\n/build/\nodd*\n")
    ends.sync()
    assert contents(ends.there) == {"a", ".gitignore"}
    fill(ends.there, "y.log", "deep/z.log", "build/there")
    ends.sync()
    assert contents(ends.here) == {
        *("a", ".gitignore", "x.log", "build/z", "odd [1],{2}", ".git/config")
    }
    ends.sync(gitignore=False)
    assert contents(ends.there) >= {"x.log", "build/z", "odd [1],{2}"}
    assert not (ends.there / ".git").exists()


@pytest.mark.parametrize("end", ["here", "there"])
def test_beside_what_is_left_out_others_come_to_a_folder(end: str, ends: Ends) -> None:
    """git lists a folder of which it leaves out all that is in it as if it left out the folder."""
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, "results/x.log", "results/deep/y.log")
    fill(other, "results/table", "results/deep/er/z")
    (ends.here / ".gitignore").write_text("*.log\n")
    ends.sync()
    assert contents(one) >= {"results/table", "results/deep/er/z"}
    assert not {name for name in contents(other) if name.endswith(".log")}


@pytest.mark.parametrize("around", ["repository", "none"])
@pytest.mark.parametrize("how", ["cloned", "submodule"])
def test_a_repository_within_has_rules_of_its_own(how: str, around: str, ends: Ends) -> None:
    if around == "repository":
        git(ends.here, "init", "-q")
    elif how == "submodule":
        pytest.skip("a submodule is in a repository")
    fill(ends.here, "x.log", "deep/inner/venv/a", "deep/inner/b", "deep/inner/x.log")
    inner = ends.here / "deep/inner"
    (ends.here / ".gitignore").write_text("/x.log\n")
    (inner / ".gitignore").write_text("venv/\n")
    git(inner, "init", "-q")
    if how == "submodule":
        me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
        git(inner, "add", "b")
        git(inner, *me, "commit", "-qm", "first")
        git(ends.here, "submodule", "-q", "add", "./deep/inner", "deep/inner")
    (inner / ".git/info/exclude").write_text("x.log\n")
    ends.sync()
    assert {one for one in contents(ends.there) if one != ".gitmodules"} == {
        *(".gitignore", "deep/inner/.gitignore", "deep/inner/b")
    }


@pytest.mark.parametrize("end", ["here", "there"])
def test_rules_of_a_folder_above_count_at_both_ends(end: str, ends: Ends, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("*.log\n/my project/data/\n!kept.log\n/other/\n")
    (tmp_path / ".git/info/exclude").write_text("my*/*.csv\n")
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, "x.log", "data/a", "b.csv", "deep/data/c", "deep/d.csv", "kept.log", "other/e")
    ends.sync()
    assert contents(other) == {"deep/data/c", "deep/d.csv", "kept.log", "other/e"}


@pytest.mark.parametrize("rule", ["/my project/", "**"])
def test_a_folder_that_its_repository_leaves_out_goes_when_it_is_named(
    rule: str, ends: Ends, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(f"{rule}\n")
    fill(ends.here, "a", "x.log", "deep/b")
    (ends.here / ".gitignore").write_text("*.log\n")
    ends.sync()
    assert contents(ends.there) == {"a", "deep/b", ".gitignore"}


RULES_ABOVE = (
    *("a/b/x", "/a/b/x", "/a/x", "a/*/x", "/*/b/x/", "**/x", "a/**/x", "/a/**/b/x"),
    *("a/b/**/x", "**/b/x", "**/deep/x", "# a/b/x", "!x", "/a/b/*\n!/a/b/x", "x", "deep/", "/x"),
    *(
        "a/[ab]/x",
        "a/[^b]/x",
        "a/[!a]/x",
        "a/\\b/x",
        "a/b/deep/",
        "a/b/de?p/x",
        "b/x",
        "/a/b/x ",
        "",
    ),
)


@pytest.mark.parametrize("rule", RULES_ABOVE)
def test_a_rule_of_a_folder_above_means_the_same_below(rule: str, tmp_path: Path) -> None:
    """git is asked here in the repository itself, and as the machine asks it."""
    below = tmp_path / "above/a/b"
    fill(below, "x", "deep/x", "deep/b/x", "b/x", "a/b/x", "other")
    git(tmp_path / "above", "init", "-q")
    (tmp_path / "above/.gitignore").write_text(rule + "\n")
    asked = Git(below, os.environ)
    bare = tmp_path / "bare"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    (bare / "info/exclude").write_bytes(asked.rules())
    assert asked.is_repository()
    assert _files(asked.names(), below) == _files(
        Tree(os.fsencode(below), str(bare)).names(), below
    )


def _files(names: list[bytes], root: Path) -> set[str]:
    """What is in folders too: the listing may name the folder, or all that is in it."""
    return {
        one
        for one in contents(root)
        if any(f"{one}/".startswith(os.fsdecode(name).rstrip("/") + "/") for name in names)
    }


def test_a_tracked_file_that_a_rule_leaves_out_goes_every_time(ends: Ends) -> None:
    fill(ends.here, "model.csv", "data/x.csv", "other.csv")
    (ends.here / ".gitignore").write_text("*.csv\ndata/\n")
    git(ends.here, "init", "-q")
    git(ends.here, "add", "-f", "model.csv", "data/x.csv")
    for words in ("first", "once again"):
        (ends.here / "model.csv").write_text(words)
        (ends.here / "data/x.csv").write_text(words)
        fill(ends.there, "data/theirs.csv")
        ends.sync()
        assert (ends.there / "model.csv").read_text() == words
        assert (ends.there / "data/x.csv").read_text() == words
    assert not (ends.there / "other.csv").exists()
    assert not (ends.here / "data/theirs.csv").exists()
