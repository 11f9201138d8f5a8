"""`push` and `pull`: the real rsync at both ends, with a stand-in for the way between."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.unit.carried import Ends, ends, fill, newer
from tests.unit.far_machine import ODD, contents, writing
from wrapper import deployment
from wrapper.deployment import How
from wrapper.errors import FailedError

__all__ = ["ends"]  # a fixture, for pytest to find here


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
