"""What git leaves out, of files that come to be while somebody watches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CHANGED = "the rules of what is left out have changed"
"""Unison ends with these words, and is started anew with what git says then."""


class Rules:
    """What git leaves out below a folder."""

    def __init__(self, git: str, known: str) -> None:
        self.git, self.known = git, known

    def left_out(self, root: bytes, paths: list[bytes]) -> set[bytes]:
        """Those of them that git leaves out. ValueError: Unison is to be told anew."""
        if not paths:
            return set()
        if any(path.rpartition(b"/")[2] == b".gitignore" for path in paths):
            raise ValueError(CHANGED)
        # A name may begin with what git takes for a word of its own.
        own = [b"./" + path for path in paths]
        found = {path[2:] for path in self._ask(root, own, "check-ignore", "-z", "--stdin")}
        folders = [path for path in paths if path not in found and _is_folder(root, path)]
        if folders:
            self._refuse_new(root, folders)
        return found

    def _refuse_new(self, root: bytes, folders: list[bytes]) -> None:
        """Unison takes a folder as a whole: what is in it has to be known beforehand."""
        words = (
            "--literal-pathspecs",
            "ls-files",
            "-zoi",
            "--exclude-standard",
            "--directory",
            "--",
        )
        found = self._ask(root, [], *words, *map(os.fsdecode, folders))
        # Without a git there is no file of what it leaves out, either.
        if found and {name.rstrip(b"/") for name in found} - self._known():
            raise ValueError(CHANGED)

    def _known(self) -> set[bytes]:
        return {name.rstrip(b"/") for name in Path(self.known).read_bytes().split(b"\0")}

    def _ask(self, root: bytes, paths: list[bytes], *words: str) -> set[bytes]:
        own = [f"--git-dir={self.git}", "--work-tree=."] if self.git else []
        try:
            done = subprocess.run(
                ["git", *own, *words],
                check=False,
                cwd=root,
                input=b"".join(path + b"\0" for path in paths),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return set()
        return {path for path in done.stdout.split(b"\0") if path}


def _is_folder(root: bytes, path: bytes) -> bool:
    full = Path(os.fsdecode(root), os.fsdecode(path))
    return full.is_dir() and not full.is_symlink()
