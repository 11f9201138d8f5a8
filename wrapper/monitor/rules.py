"""What git leaves out below a folder, asked of git itself, at both ends: its rules are its own.

https://git-scm.com/docs/git-ls-files, https://git-scm.com/docs/git-check-ignore
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LIST = (
    *("--literal-pathspecs", "ls-files", "-z", "--others", "--ignored"),
    *("--exclude-standard", "--directory", "--"),
)


_SLASH = ord("/")


class GitError(Exception):
    """git is not there, or does not say."""


class Tree:
    """A folder, in a repository or not, and the repositories in it. Names are below the folder.

    git looks into no repository but its own: each is asked for itself.
    """

    def __init__(
        self, root: bytes, git: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        """`git`: a repository's folder for what is in none."""
        self.root, self.git = root.rstrip(b"/"), git
        given = os.environ if environment is None else environment
        self.environment = {key: one for key, one in given.items() if not key.startswith("GIT_")}
        self.repositories: set[bytes] = set()
        """Those in it, a slash at their end; as of the last look at all."""

    def names(self) -> list[bytes]:
        """All that is left out, folders with a slash at their end. GitError."""
        self.repositories = set()
        found = self._listed(b"")
        left_out = set(found)
        for prefix in self._with_git(b"", left_out):
            try:
                own = self._listed(prefix)
            except GitError:
                continue  # something else of this name
            self.repositories.add(prefix)
            found += own
            left_out |= set(own)
        return found

    def names_in(self, folders: list[bytes]) -> list[bytes] | None:
        """Likewise in some of its folders. None: there is a repository that was not seen before."""
        found = []
        for prefix, some in self._by_repository(folders).items():
            found += self._listed(prefix, *some)
        left_out = set(found)
        for folder in folders:
            if not self.repositories.issuperset(self._with_git(folder, left_out)):
                return None
        return found

    def left_out(self, paths: list[bytes]) -> set[bytes]:
        """Those of them that git leaves out. GitError."""
        found = set()
        for prefix, some in self._by_repository(paths).items():
            found |= {prefix + one for one in self._checked(prefix, some)}
        return found

    def _by_repository(self, paths: list[bytes]) -> dict[bytes, list[bytes]]:
        found = defaultdict(list)
        for path in paths:
            around = (one for one in self.repositories if path.startswith(one))
            prefix = max(around, key=len, default=b"")
            found[prefix].append(path[len(prefix) :])
        return found

    def _with_git(self, below: bytes, left_out: set[bytes]) -> Iterator[bytes]:
        """Folders that may be repositories, outer ones first; not within what is left out by then.

        Nor the root itself.
        """
        for folder, folders, files in os.walk(self.root + b"/" + below):
            path = folder[len(self.root) + 1 :]
            prefix = path + b"/" if path else b""
            if prefix and b".git" in (*folders, *files):
                yield prefix
            folders[:] = [
                one for one in folders if one != b".git" and prefix + one + b"/" not in left_out
            ]

    def _listed(self, prefix: bytes, *folders: bytes) -> list[bytes]:
        found = self._ask(prefix, [], *_LIST, *map(os.fsdecode, folders))
        # A folder that has only files that are left out is listed too: others may come to it.
        whole = self._checked(prefix, [name for name in found if name.endswith(b"/")])
        above = {
            name[: at + 1] for name in found for at in range(len(name) - 1) if name[at] == _SLASH
        }
        return [
            prefix + name
            for name in found
            if not name.endswith(b"/") or name in whole or name not in above
        ]

    def _checked(self, prefix: bytes, paths: list[bytes]) -> set[bytes]:
        if not paths:
            return set()
        # A name may begin with what git takes for a word of its own.
        own = [b"./" + path for path in paths]
        return {path[2:] for path in self._ask(prefix, own, "check-ignore", "-z", "--stdin")}

    def _ask(self, prefix: bytes, paths: list[bytes], *words: str) -> list[bytes]:
        own = [f"--git-dir={self.git}", "--work-tree=."] if self.git and not prefix else []
        try:
            done = subprocess.run(
                ["git", *own, *words],
                check=False,
                cwd=self.root + b"/" + prefix,
                input=b"".join(path + b"\0" for path in paths),
                capture_output=True,
                env=self.environment,
            )
        except OSError as error:
            raise GitError(str(error)) from error
        if done.returncode not in (0, 1):  # 1: check-ignore has found nothing
            raise GitError(done.stderr.decode(errors="replace").strip())
        return [path for path in done.stdout.split(b"\0") if path]


def main() -> None:
    """What is left out below the working directory is printed, a zero byte after each name."""
    try:
        names = Tree(b".", sys.argv[1]).names()
    except GitError as error:
        sys.exit(f"git does not say what it ignores: {error}")
    sys.stdout.buffer.write(b"".join(name + b"\0" for name in names))


if __name__ == "__main__":
    main()
