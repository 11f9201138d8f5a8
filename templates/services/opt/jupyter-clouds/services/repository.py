"""One git repository, whose work in progress gets a commit of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 50 * 2**20  # bytes of a file; hosts of git repositories refuse 100 MB
TOTAL = 500 * 2**20  # bytes of a commit's files: two minutes are not for more
EACH, PUSH = 15, 12  # seconds of one git
CHECKPOINTS = ".ipynb_checkpoints"
NAMED = 20  # of the files left out, in the report
ONE_BY_ONE = 500  # files, when together they do not go in
# New files that are likely secrets: a side branch may be pushed to where everybody reads it.
SECRETS = re.compile(
    r"\.env(\..*)?|.*\.(pem|key|p12|pfx|kdbx)|id_(rsa|dsa|ecdsa|ed25519)|\.(netrc|pgpass|pypirc|npmrc)"
    r"|.*(credential|secret).*|kubeconfig|kaggle\.json",
    re.IGNORECASE,
)
# Nothing that a repository sets may run beside what is asked for, nor wait for an answer.
QUIET = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.splitIndex": "false",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "credential.interactive": "false",
}
SETTINGS = [word for name, value in QUIET.items() for word in ("-c", f"{name}={value}")]
UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


class GitError(Exception):
    """git did not do it; its last words."""


@dataclass
class Repository:
    """A work tree and what becomes of it."""

    path: Path
    deadline: float
    host: str
    report: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def git(self, *words: str, given: bytes = b"", seconds: float = EACH) -> str:
        """What git prints. Raises GitError."""
        process = subprocess.Popen(
            ["git", *SETTINGS, *words],
            cwd=self.path,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            left = max(1, min(seconds, self.deadline - time.monotonic()))
            output, errors = process.communicate(given, left)
        except subprocess.TimeoutExpired:
            # ssh and all: they hold the pipes.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise GitError(f"git {words[0]}: not done in time") from None
        if process.returncode:
            said = errors.decode(errors="replace").strip().splitlines() or ["no word"]
            raise GitError(f"git {words[0]}: {said[-1][:300]}")
        return os.fsdecode(output)

    def ask(self, *words: str) -> str:
        """What git prints, without its end of line; nothing when it says no."""
        try:
            return self.git(*words).rstrip("\n")
        except GitError:
            return ""

    def prepare(self) -> None:
        """git asks nobody, and knows who commits. Raises GitError when this is no work tree."""
        self.path = Path(self.git("rev-parse", "--show-toplevel").rstrip("\n"))
        name = self.ask("config", "user.name") or "Jupyter in the Clouds"
        mail = self.ask("config", "user.email") or f"notebook@{self.host}"
        people = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail}
        people |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in people.items()}
        ssh = self.ask("config", "core.sshCommand") or "ssh"
        self.environment |= people | {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes -o ConnectTimeout=5",
        }

    def where(self, name: str) -> Path:
        """The file of that name in the repository, or in this work tree's part of it."""
        return self.path / self.git("rev-parse", "--git-path", name).rstrip("\n")

    def changes(self) -> tuple[list[bytes], list[str]]:
        """Paths that differ from the last commit, and those left out, each with its reason."""
        words = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
        # Changes inside of submodules are those of repositories of their own.
        status = self.git("status", *words, "--ignore-submodules=dirty")
        found, left_out, total = [], [], 0
        entries = [(entry[:2], entry[3:]) for entry in status.split("\0") if entry]
        sized = sorted((size(self.path / name), state, name) for state, name in entries)
        for length, state, name in sized:
            base = name.rpartition("/")[2]
            if state == "??" and (name.endswith("/") or CHECKPOINTS in name.split("/")):
                continue  # a repository inside, with a commit of its own; Jupyter's copies
            if state == "??" and SECRETS.fullmatch(base):
                left_out.append(f"{name}: looks like a secret")
            elif length > LARGEST or total + length > TOTAL:
                left_out.append(f"{name}: {length / 2**20:.0f} MiB")
            elif length and not os.access(self.path / name, os.R_OK, follow_symlinks=False):
                left_out.append(f"{name}: not readable")
            else:
                total += length
                found.append(os.fsencode(name))
        return found, left_out

    def add(self, paths: Sequence[bytes]) -> list[str]:
        """The paths are in the index; returns those that could not be read after all."""
        words = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
        try:
            self.git(*words, given=b"".join(path + b"\0" for path in paths))
        except GitError:
            missing = []
            for path in paths[:ONE_BY_ONE]:
                try:
                    self.git(*words, given=path + b"\0")
                except GitError as error:
                    missing.append(f"{os.fsdecode(path)}: {error}")
            return missing + [f"{os.fsdecode(p)}: not tried" for p in paths[ONE_BY_ONE:]]
        return []

    def tree(self) -> str | None:
        """The work in progress as a tree; None when there is none. The user's index stays."""
        index = self.where("index")
        with tempfile.TemporaryDirectory(prefix="clouds-") as folder:
            own = Path(folder, "index")
            if index.exists():
                # With its time, by which git knows which files may have changed since.
                shutil.copy2(index, own)
            self.environment["GIT_INDEX_FILE"] = str(own)
            try:
                paths, left_out = self.changes()
                left_out += self.add(paths) if paths else []
                if left_out:
                    self.report["left_out"] = left_out[:NAMED]
                    self.report["left_out_count"] = len(left_out)
                return self.git("write-tree").strip() if paths else None
            finally:
                del self.environment["GIT_INDEX_FILE"]

    def save(self) -> str | None:
        """The side branch holds the work in progress; its name, None when there is none."""
        head = self.ask("rev-parse", "--verify", "--quiet", "HEAD")
        branch = self.ask("symbolic-ref", "--quiet", "--short", "HEAD")
        tree = self.tree()
        if not tree or tree == self.ask("rev-parse", "--verify", "--quiet", "HEAD^{tree}"):
            return None
        side = f"clouds/autosave/{self.host}/{branch or f'detached-{head[:12]}'}"
        under_way = sorted({UNDER_WAY[name] for name in UNDER_WAY if self.where(name).exists()})
        if under_way:
            self.report["under_way"] = under_way
        remote = self.remote(branch)
        tips = [f"refs/heads/{side}"] + ([f"refs/remotes/{remote}/{side}"] if remote else [])
        found = [self.ask("rev-parse", "--verify", "--quiet", tip) for tip in tips]
        # What was saved before stays reachable, and a push never has to force.
        parents = list(dict.fromkeys(commit for commit in (head, *found) if commit))
        if found[0] and self.same(found[0], tree, head):
            self.report |= {"branch": side, "commit": found[0], "again": True}
            return side
        # The user's branch may have come from here: their commits need no second parent.
        parents = [p for p in parents if p == head or not self.ancestor(p, head)]
        words = [word for parent in parents for word in ("-p", parent)]
        message = f"Work in progress on {branch or head[:12]}\n\nSaved by Jupyter in the Clouds"
        message += f" in the middle of a {' and '.join(under_way)}.\n" if under_way else ".\n"
        commit = self.git("commit-tree", tree, *words, given=message.encode()).strip()
        side = self.point(side, commit, found[0])
        self.report |= {"branch": side, "commit": commit}
        return side

    def same(self, commit: str, tree: str, head: str) -> bool:
        """Whether the commit holds just this, on top of the same commit."""
        known = self.ask("show", "--no-patch", "--no-show-signature", "--format=%T %P", commit)
        return [*known.split(), ""][:2] == [tree, head]

    def ancestor(self, commit: str, head: str) -> bool:
        """Whether the one is in the other's history."""
        try:
            self.git("merge-base", "--is-ancestor", commit, head or "none")
        except GitError:
            return False
        return True

    def point(self, side: str, commit: str, before: str) -> str:
        """The side branch is at the commit; its name, another one where that name is blocked."""
        try:
            self.git("update-ref", f"refs/heads/{side}", commit, before or "0" * len(commit))
        except GitError:
            # A side branch `a` is in the way of `a/b`, or a lock was left behind.
            side = f"{side.replace('/', '-')}-{commit[:12]}"
            self.git("update-ref", f"refs/heads/clouds/{side}", commit)
            side = f"clouds/{side}"
        return side

    def remote(self, branch: str) -> str:
        """Where the branch would be pushed; nothing without a remote."""
        known = self.ask("remote").split()
        keys = [f"branch.{branch}.pushRemote", "remote.pushDefault", f"branch.{branch}.remote"]
        wished = [self.ask("config", key) for key in keys] + ["origin"]
        return next((name for name in wished if name in known), known[0] if known else "")

    def push(self, side: str) -> None:
        """The remote has the side branch, or the report says why not."""
        remote = self.remote(self.ask("symbolic-ref", "--quiet", "--short", "HEAD"))
        if not remote or self.ask("config", "--bool", "clouds.push") == "false":
            return
        name = f"refs/heads/{side}"
        words = ("push", "--quiet", "--no-verify", "--no-follow-tags", remote, f"{name}:{name}")
        try:
            self.git(*words, seconds=PUSH)
            self.report["pushed"] = remote
        except GitError as error:
            self.report["not_pushed"] = str(error)


def size(path: Path) -> int:
    """Bytes of a plain file, 0 of anything else."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
    return 0
