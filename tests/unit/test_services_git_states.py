"""In whatever state a repository is, its work in progress is saved and nothing of it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.repositories import HOST, Repository, User, user

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["user"]  # a fixture, for pytest to find here


def merge(one: Repository) -> str:
    one.git("checkout", "-qb", "other")
    one.write("a.txt", "theirs\n")
    one.git("commit", "-qam", "theirs")
    one.git("checkout", "-q", "main")
    one.write("a.txt", "ours\n")
    one.git("commit", "-qam", "ours")
    one.git("merge", "other", check=False)
    return "main"


def rebase(one: Repository) -> str:
    merge(one)
    one.git("merge", "--abort")
    one.git("rebase", "other", check=False)
    return detached(one, checkout=False)


def detached(one: Repository, *, checkout: bool = True) -> str:
    if checkout:
        one.git("checkout", "-q", "--detach")
    return f"detached-{one.git('rev-parse', 'HEAD')[:12]}"


def staged(one: Repository) -> str:
    one.write("a.txt", "staged\n")
    one.git("add", "a.txt")
    return "main"


def stashed(one: Repository) -> str:
    one.write("a.txt", "stashed\n")
    one.git("stash")
    return "main"


def locked(one: Repository) -> str:
    one.write(".git/index.lock", "")
    return "main"


def nameless(one: Repository) -> str:
    one.git("config", "--unset", "user.name")
    one.git("config", "--unset", "user.email")
    one.git("config", "user.useConfigOnly", "true")
    return "main"


def hooked(one: Repository) -> str:
    for name in ("pre-commit", "reference-transaction", "post-index-change", "pre-push"):
        one.write(f".git/hooks/{name}", "#!/bin/sh\ntouch ../../ran; sleep 60; exit 1\n")
        (one.path / ".git/hooks" / name).chmod(0o755)
    one.git("config", "commit.gpgSign", "true")
    one.git("config", "core.fsmonitor", str(one.path / ".git/hooks/pre-commit"))
    return "main"


def sparse(one: Repository) -> str:
    for name in ("in/x", "out/y"):
        one.write(name, "x\n")
    one.git("add", ".")
    one.git("commit", "-qm", "folders")
    one.git("sparse-checkout", "set", "in")
    return "main"


STATES: dict[str, Callable[[Repository], str]] = {
    "plain": lambda _: "main",
    "a branch with a slash": lambda one: (one.git("checkout", "-qb", "deep/er"), "deep/er")[1],
    "in a merge": merge,
    "in a rebase": rebase,
    "detached": detached,
    "staged": staged,
    "with a stash": stashed,
    "locked": locked,
    "no identity": nameless,
    "hooks that hang": hooked,
    "sparse": sparse,
}


@pytest.mark.parametrize("prepare", STATES.values(), ids=STATES.keys())
def test_work_in_progress_is_saved_and_nothing_of_the_users_moves(
    user: User, prepare: Callable[[Repository], str]
) -> None:
    one = Repository(user)
    branch = prepare(one)
    one.write("b.txt", "edited\n")
    one.write("notes/new.txt", "new\n")
    before = one.state()
    head = one.git("rev-parse", "HEAD")

    report = user.autosave()["project"]

    assert report.get("error") is None
    assert report["branch"] == f"clouds/autosave/{HOST}/{branch}"
    assert one.state() == before
    assert one.saved(report["branch"], "b.txt") == "edited"
    assert one.saved(report["branch"], "notes/new.txt") == "new"
    assert one.saved(report["branch"], "a.txt") == (one.path / "a.txt").read_text().rstrip("\n")
    assert one.git("rev-parse", f"{report['branch']}^") == head
    assert not (user.work / "ran").exists()
    assert one.git("fsck", "--no-dangling") == ""


@pytest.mark.parametrize(("prepare", "under_way"), [(merge, "merge"), (rebase, "rebase")])
def test_what_is_under_way_is_told(
    user: User, prepare: Callable[[Repository], str], under_way: str
) -> None:
    one = Repository(user)
    prepare(one)

    report = user.autosave()["project"]

    assert report["under_way"] == [under_way]
    assert f"in the middle of a {under_way}" in one.git(
        "log", "-1", "--format=%B", report["branch"]
    )
    assert "<<<<<<<" in one.saved(report["branch"], "a.txt")
