"""`sync`: the real Unison at both ends, with a stand-in for the way between."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import pytest

from tests.unit.far_machine import ODD, contents, writing
from tests.unit.synced import Ends, ends, fill
from wrapper import unison
from wrapper.deployment.events import Note, Progress, Warned
from wrapper.errors import FailedError

__all__ = ["ends"]  # a fixture, for pytest to find here


def test_both_ends_become_the_same(ends: Ends) -> None:
    fill(ends.here, *ODD, "deep/er/file")
    fill(ends.there, "result", "deep/result")
    assert ends.sync() == unison.Outcome()
    assert (
        contents(ends.here)
        == contents(ends.there)
        == {*ODD, "deep/er/file"}
        | {
            "result",
            "deep/result",
        }
    )


def test_every_odd_name_is_told_whole(ends: Ends) -> None:
    fill(ends.here, "a", *ODD)
    told = {os.fsencode(one).decode(errors="replace") for one in ODD}
    assert set(ends.synced().changed) == {"a", *told}


def test_how_far_it_is_is_told(ends: Ends) -> None:
    (ends.here / "large").write_bytes(os.urandom(2**24))
    ends.sync()
    told = [one for one in ends.told if isinstance(one, Progress)]
    assert [one.done for one in told] == sorted({one.done for one in told})
    assert any(0 < one.done < one.total and not one.over for one in told)
    assert (told[-1].done, told[-1].over) == (100, True)


def test_what_went_over_is_listed_by_name(ends: Ends) -> None:
    fill(ends.here, "a b", "deep/c")
    fill(ends.there, "from d")
    assert set(ends.synced().changed) == {"a b", "deep", "from d"}
    (ends.here / "deep/c").write_text("changed")
    (ends.here / "a b").unlink()
    assert set(ends.synced(delete=True).changed) == {"a b", "deep/c"}


def test_a_change_at_one_end_goes_to_the_other(ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    (ends.here / "a").write_text("changed here")
    (ends.there / "b").write_text("changed there")
    assert ends.sync() == unison.Outcome()
    assert (ends.there / "a").read_text() == "changed here"
    assert (ends.here / "b").read_text() == "changed there"


@pytest.mark.parametrize("known", [True, False], ids=["of a file both had", "at first sight"])
def test_a_conflict_stays_both_and_is_named(known: bool, ends: Ends) -> None:
    if known:
        fill(ends.here, "a b")
        ends.sync()
    fill(ends.here, "other")
    (ends.here / "a b").write_text("here")
    ends.there.mkdir(exist_ok=True)
    (ends.there / "a b").write_text("there!")
    for _ in range(2):
        assert ends.sync() == unison.Outcome(conflicts=("a b",))
        assert (ends.here / "a b").read_text() == "here"
        assert (ends.there / "a b").read_text() == "there!"
    assert (ends.there / "other").exists()
    assert any("a b" in one.text for one in ends.told if isinstance(one, Note))


def test_a_conflict_is_over_once_one_of_the_two_was_taken(ends: Ends) -> None:
    fill(ends.here, "a")
    ends.sync()
    (ends.here / "a").write_text("here")
    (ends.there / "a").write_text("there!")
    assert ends.sync().conflicts == ("a",)
    shutil.copy2(ends.here / "a", ends.there / "a")
    assert ends.sync() == unison.Outcome()
    assert (ends.here / "a").read_text() == (ends.there / "a").read_text() == "here"


@pytest.mark.parametrize("delete", [False, True], ids=["stays", "goes when told"])
def test_what_was_deleted_at_one_end(delete: bool, ends: Ends) -> None:
    fill(ends.here, "a", "b", "c")
    ends.sync()
    (ends.here / "a").unlink()
    (ends.there / "b").unlink()
    outcome = ends.sync(delete=delete)
    assert contents(ends.here) == ({"c"} if delete else {"b", "c"})
    assert contents(ends.there) == ({"c"} if delete else {"a", "c"})
    assert set(outcome.kept) == (set() if delete else {"a", "b"})
    assert outcome.conflicts == ()


def test_a_folder_that_is_gone_as_a_whole_empties_no_other(ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    shutil.rmtree(ends.there)
    with pytest.raises(FailedError):
        ends.sync(delete=True)
    assert contents(ends.here) == {"a", "b"}


@pytest.mark.parametrize("end", ["here", "there"])
def test_an_end_that_forgot_deletes_nothing_and_overwrites_nothing(end: str, ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    memory = ends.home / ".unison"
    if end == "here":
        memory = ends.here.parent / "it's data/moon/ssh/unison"
    for one in memory.glob("ar*"):
        one.unlink()
    (ends.here / "a").unlink()
    (ends.here / "b").write_text("changed here")
    assert ends.sync(delete=True) == unison.Outcome(conflicts=("b",))
    assert (ends.here / "a").exists()
    assert (ends.there / "b").read_text() != "changed here"


def test_links_go_as_links_and_those_out_of_the_tree_are_named(ends: Ends) -> None:
    fill(ends.here, "a", "deep/b", "left/c")
    (ends.here / ".gitignore").write_text("left/\n")
    leads = {"in": "a", "deep/up": "../a", "out": "/etc/passwd", "deep/beside": "../../x"}
    for name, target in {**leads, "left/out": "/etc/passwd"}.items():
        (ends.here / name).symlink_to(target)
    ends.sync()
    assert {name: str((ends.there / name).readlink()) for name in leads} == leads
    [words] = [one.text for one in ends.told if isinstance(one, Warned)]
    assert "out -> /etc/passwd" in words
    assert "deep/beside -> ../../x" in words
    assert words.count("->") == 2


def test_a_file_that_changes_while_it_is_read_is_never_half_new(ends: Ends) -> None:
    (ends.here / "log").write_bytes(b"0" * 2**22)
    with writing(ends.here / "log"):
        for _ in range(4):
            with suppress(FailedError):
                ends.sync()
            sent = (ends.there / "log").read_bytes() if (ends.there / "log").exists() else b""
            assert set(sent[2**22 :]) <= set(b"line\n")
    ends.sync()
    assert (ends.there / "log").read_bytes() == (ends.here / "log").read_bytes()
