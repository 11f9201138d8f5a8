"""Git repositories of an ordinary user, and the program that saves what is in work there."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        # Asked to become another user, Python copies all that the tests have in memory:
        # https://github.com/python/cpython/blob/v3.11.0/Modules/_posixsubprocess.c#L677
        other = ("setpriv", f"--reuid={self.number}", f"--regid={self.number}", "--clear-groups")
        done = subprocess.run(
            [*other, *words] if self.number else words,
            cwd=cwd or self.work,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
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
