"""The work in progress of real git repositories: saved beside, and nothing of the user's moved."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.git_server import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(__file__).parents[2] / "templates/services/opt/jupyter-clouds/services/autosave.py"
HOST = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().partition(".")[0]).strip("-")
NOBODY = 65534


@dataclass
class User:
    """An ordinary user with a work folder; whoever runs the tests."""

    folder: Path
    number: int | None = field(default=NOBODY if os.geteuid() == 0 else None)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def run(self, *words: str | Path, cwd: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            words,
            cwd=cwd or self.work,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            user=self.number,
            group=self.number,
            extra_groups=[] if self.number else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, (words, done.stderr)
        return done.stdout

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if self.number:
            for one in (path, path.parent):
                os.chown(one, self.number, self.number)

    def autosave(self, seconds: float = 30) -> dict[str, dict[str, Any]]:
        """What the program reports, by the repository's path in the work folder."""
        # The tests' own Python may lie where only root gets.
        python = sys.executable if os.geteuid() else "/usr/bin/python3"
        text = self.run(python, "-IB", self.folder / PROGRAM.name, self.work, str(seconds))
        lines = [json.loads(line) for line in text.splitlines()]
        return {str(Path(one["path"]).relative_to(self.work)): one for one in lines}


class Repository:
    """A repository of the user's with one commit of `a.txt`."""

    def __init__(self, user: User, name: str = "project", *, commit: bool = True) -> None:
        self.user, self.path = user, user.work / name
        user.run("git", "init", "-q", "-b", "main", self.path)
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.com")
        if commit:
            self.write("a.txt", "one\n")
            self.git("add", ".")
            self.git("commit", "-qm", "first")

    def git(self, *words: str, check: bool = True) -> str:
        # What the test asks for starts none of the hooks that are there to be left alone.
        quiet = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
        return self.user.run("git", *quiet, *words, cwd=self.path, check=check).rstrip("\n")

    def write(self, name: str, text: str) -> None:
        self.user.write(self.path / name, text)

    def state(self) -> tuple[object, ...]:
        """Everything that may not change: HEAD, branches of the user's, index, stash, files."""
        files = {
            str(one.relative_to(self.path)): one.read_bytes()
            for one in self.path.rglob("*")
            if one.is_file() and not one.is_symlink() and ".git" not in one.parts
        }
        refs = self.git("for-each-ref").splitlines()
        users = [line for line in refs if "autosave" not in line]
        index = self.git("ls-files", "--stage", "--debug")
        words = ("status", "--porcelain", "--untracked-files=all")
        return (
            (self.path / self.git("rev-parse", "--git-path", "HEAD")).read_text(),
            users,
            index,
            self.git("stash", "list"),
            self.git("reflog", check=False),
            self.git("--no-optional-locks", *words),
            files,
        )

    def saved(self, branch: str, name: str) -> str:
        return self.git("show", f"{branch}:{name}")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    # Nobody but root may enter the folders that pytest makes for root.
    folder = tmp_path if os.geteuid() else Path(tempfile.mkdtemp(dir="/var/tmp"))
    found = User(folder)
    found.work.mkdir()
    for program in (PROGRAM, PROGRAM.with_name("repository.py")):
        shutil.copy(program, folder)
    for one in (found.folder, found.work) if found.number else ():
        os.chown(one, NOBODY, NOBODY)
    yield found
    shutil.rmtree(folder)


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


STATES: list[Callable[[Repository], str]] = [
    lambda _: "main",
    lambda one: (one.git("checkout", "-qb", "deep/er"), "deep/er")[1],
    merge,
    rebase,
    detached,
    staged,
    stashed,
    locked,
    nameless,
    hooked,
    sparse,
]
NAMES = (
    "plain",
    "a branch with a slash",
    *("in a merge", "in a rebase", "detached", "staged", "with a stash", "locked"),
    *("no identity", "hooks that hang", "sparse"),
)


@pytest.mark.parametrize(
    "prepare", [pytest.param(s, id=i) for s, i in zip(STATES, NAMES, strict=True)]
)
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
