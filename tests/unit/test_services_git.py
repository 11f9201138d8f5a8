"""What is saved of the work in progress of real git repositories, and where to."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.git_server import served
from tests.unit.repositories import HOST, Repository, User, user

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["user"]  # a fixture, for pytest to find here


def test_a_deleted_file_is_deleted_in_the_side_branch(user: User) -> None:
    one = Repository(user)
    (one.path / "a.txt").unlink()
    one.write("a.txt/now-a-folder", "x")

    report = user.autosave()["project"]

    assert one.git("ls-tree", "-r", "--name-only", report["branch"]) == "a.txt/now-a-folder"


def test_names_and_kinds_of_files_survive(user: User) -> None:
    one = Repository(user)
    name = 'caf\N{LATIN SMALL LETTER E WITH ACUTE} "q" *[a]\nb\\.txt'
    one.write(name, "x")
    user.run("ln", "-s", "/etc/passwd", one.path / "link")
    user.run("mkfifo", one.path / "pipe")
    one.write("run.sh", "#!/bin/sh\n")
    (one.path / "run.sh").chmod(0o755)

    report = user.autosave()["project"]

    listed = one.git("ls-tree", "-r", "-z", report["branch"]).split("\0")
    modes = {line.partition("\t")[2]: line[:6] for line in listed if line}
    assert modes == {"a.txt": "100644", name: "100644", "link": "120000", "run.sh": "100755"}
    assert one.saved(report["branch"], "link") == "/etc/passwd"


def test_with_nothing_to_save_nothing_is_made(user: User) -> None:
    one = Repository(user)
    one.write(".gitignore", "*.log\n")
    one.git("add", ".")
    one.git("commit", "-qm", "ignore")
    one.write("huge.log", "x")
    one.write(".ipynb_checkpoints/a-checkpoint.ipynb", "{}")
    objects = one.git("count-objects")

    assert user.autosave() == {}
    assert "autosave" not in one.git("for-each-ref")
    assert one.git("count-objects") == objects


def test_the_first_commit_may_be_still_to_come(user: User) -> None:
    one = Repository(user, commit=False)
    assert user.autosave() == {}
    one.write("a.txt", "x")

    report = user.autosave()["project"]

    assert one.saved(report["branch"], "a.txt") == "x"
    assert one.git("rev-parse", "--verify", "-q", "HEAD", check=False) == ""


def test_saved_again_nothing_is_doubled_and_nothing_lost(user: User) -> None:
    one = Repository(user)
    one.write("a.txt", "first try\n")
    first = user.autosave()["project"]
    assert user.autosave()["project"]["commit"] == first["commit"]

    one.write("a.txt", "second try\n")
    second = user.autosave()["project"]
    one.git("commit", "-qam", "done at last")
    one.write("a.txt", "third\n")
    third = user.autosave()["project"]

    history = one.git("rev-list", third["branch"]).splitlines()
    assert {first["commit"], second["commit"]} < set(history)
    assert one.git("rev-parse", f"{third['branch']}^1") == one.git("rev-parse", "HEAD")


def test_large_files_and_likely_secrets_are_left_out_and_named(user: User) -> None:
    one = Repository(user)
    one.write("b.txt", "small")
    for name in (".env", "deploy.pem", "aws_credentials.json", "conf/id_ed25519"):
        one.write(name, "secret")
    one.write("model.bin", "")
    with (one.path / "model.bin").open("r+b") as file:
        file.truncate(5 * 2**30)
    # Known to git, it is no new secret.
    one.write("known.key", "old")
    one.git("add", "known.key")

    report = user.autosave()["project"]

    names = one.git("ls-tree", "-r", "--name-only", report["branch"]).splitlines()
    assert names == ["a.txt", "b.txt", "known.key"]
    assert report["left_out_count"] == 5
    assert "model.bin: 5120 MiB" in report["left_out"]
    assert ".env: looks like a secret" in report["left_out"]


def test_a_file_that_cannot_be_read_costs_only_itself(user: User) -> None:
    if not user.number and os.geteuid() == 0:
        pytest.skip("root reads everything")
    one = Repository(user)
    one.write("b.txt", "x")
    one.write("closed.txt", "x")
    (one.path / "closed.txt").chmod(0)

    report = user.autosave()["project"]

    assert one.git("ls-tree", "-r", "--name-only", report["branch"]).splitlines() == [
        "a.txt",
        "b.txt",
    ]
    assert report["left_out"] == ["closed.txt: not readable"]


def test_worktrees_submodules_and_repositories_inside_are_saved_each(user: User) -> None:
    one = Repository(user)
    library = Repository(user, "library")
    allow = ("-c", "protocol.file.allow=always")
    one.git(*allow, "submodule", "--quiet", "add", str(library.path), "sub")
    one.git("commit", "-qm", "submodule")
    one.git("worktree", "add", "-q", "../tree", "-b", "feature")
    Repository(user, "project/inner")
    for name in ("project", "project/sub", "tree", "project/inner"):
        user.write(user.work / name / "new.txt", name)
    before = one.state()

    report = user.autosave()

    assert set(report) == {"project", "project/sub", "tree", "project/inner"}
    assert one.state() == before
    assert one.saved(report["tree"]["branch"], "new.txt") == "tree"
    assert report["tree"]["branch"].endswith("/feature")
    saved = one.git("ls-tree", "-r", "--name-only", report["project"]["branch"]).splitlines()
    assert saved == [".gitmodules", "a.txt", "new.txt", "sub"]


def test_a_side_branch_is_pushed_and_pushed_again(user: User) -> None:
    user.run("git", "init", "-q", "--bare", user.folder / "far.git")
    one = Repository(user)
    one.git("remote", "add", "origin", str(user.folder / "far.git"))
    one.git("push", "-qu", "origin", "main")
    for text in ("one", "two"):
        one.write("a.txt", text)
        report = user.autosave()["project"]
        assert report["pushed"] == "origin"
    far = user.run("git", "-C", user.folder / "far.git", "for-each-ref", "--format=%(refname)")
    assert far.splitlines() == [f"refs/heads/{report['branch']}", "refs/heads/main"]
    one.git("config", "clouds.push", "false")
    one.write("a.txt", "three")
    assert "pushed" not in user.autosave()["project"]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ssh://git@127.0.0.1:1/x.git", id="ssh that nobody answers"),
        pytest.param("http://127.0.0.1:1/x.git", id="http that nobody answers"),
        pytest.param("ext::sh -c 'sleep 60'", id="a helper that hangs"),
    ],
)
def test_a_push_that_fails_is_told_and_the_branch_is_here(user: User, url: str) -> None:
    one = Repository(user)
    one.git("remote", "add", "origin", url)
    one.git("config", "protocol.ext.allow", "always")
    one.write("a.txt", "x")

    report = user.autosave(seconds=3)["project"]

    assert report["not_pushed"].startswith("git push: ")
    assert one.saved(report["branch"], "a.txt") == "x"


def test_a_push_logs_in_with_the_credentials_that_git_has(user: User, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "far.git"], cwd=tmp_path, check=True)
    one = Repository(user)
    with served(tmp_path, "ada", "let-me-in") as url:
        one.git("remote", "add", "origin", f"{url}/far.git")
        one.write("a.txt", "in progress")
        refused = user.autosave()["project"]
        assert "pushed" not in refused
        assert refused["not_pushed"].startswith("git push: "), "and nobody is asked"

        user.run("git", "config", "--global", "credential.helper", "store")
        user.write(user.folder / ".git-credentials", f"{url.replace('//', '//ada:let-me-in@')}\n")
        report = user.autosave()["project"]

    assert report["pushed"] == "origin"
    asked = ["git", "-C", "far.git", "show", f"{report['branch']}:a.txt"]
    far = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert far.stdout == "in progress"


def test_a_broken_repository_costs_only_itself(user: User) -> None:
    for name in ("broken", "good"):
        Repository(user, name).write("a.txt", "x")
    (user.work / "broken/.git/HEAD").write_text("nonsense")
    shutil.rmtree(user.work / "broken/.git/objects")

    report = user.autosave()

    assert "error" in report["broken"]
    assert "branch" in report["good"]


def test_a_name_that_is_taken_does_not_cost_the_work(user: User) -> None:
    one = Repository(user)
    one.git("branch", f"clouds/autosave/{HOST}/main/older")
    one.write("a.txt", "x")

    report = user.autosave()["project"]

    assert one.saved(report["branch"], "a.txt") == "x"


def test_who_wants_none_gets_none(user: User) -> None:
    one = Repository(user)
    one.git("config", "clouds.autosave", "false")
    one.write("a.txt", "x")
    assert user.autosave() == {}
