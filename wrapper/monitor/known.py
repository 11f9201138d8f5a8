"""What Unison was told to leave out, and whether that is still all that git leaves out."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from urllib.parse import quote_from_bytes

from wrapper.monitor.rules import GitError, Tree

CHANGED = "the rules of what is left out have changed"
"""Unison ends with these words, and is started anew with what git says then."""
EARLY = "git leaves out what was not there when it was asked"
"""Likewise, before it has looked at everything once."""
_GIT, _RULES = b".git", b".gitignore"
_TICK, _COARSE, _SECOND = 50_000_000, 2_000_000_000, 1_000_000_000
"""Nanoseconds by which a folder's time of change may lag: of the kernel's clock, of old disks."""


class Known:
    """What is left out below a root, as Unison knows it since it was started.

    Unison asks before it looks into a folder, and knows no more names later: a name that it does
    not know has to end it before. ValueError, in all that follows: that is so.
    """

    def __init__(self, git: str, file: str, *, lenient: bool = False) -> None:
        self.git, self.lenient = git, lenient
        self.names: frozenset[bytes] = frozenset()
        with contextlib.suppress(FileNotFoundError):  # a machine without git
            listed = Path(file).read_bytes().split(b"\0")
            self.names = frozenset(name.rstrip(b"/") for name in listed if name)
        self.tree = Tree(b"")
        self.told: frozenset[bytes] = frozenset()
        self.told_at = self.since = 0

    def begins(self, root: bytes, path: bytes) -> None:
        """Unison looks at all below the path; git is asked, unless that was done for this look."""
        self.since = time.time_ns()
        with contextlib.suppress(GitError):
            if not path:
                self.tree = Tree(root, self.git)
                self._refuse_other(self.tree.names())
            elif path in self.told:
                self.since = self.told_at
            elif self._is_folder(path):
                self._refuse_new(EARLY, self.tree.names_in([path]))

    def enters(self, folder: bytes) -> None:
        """Unison is about to list this folder: nothing new is in it since git was asked."""
        full = self._full(folder)
        try:
            changed = full.stat().st_mtime_ns
            lag = _TICK if changed % _SECOND else _COARSE
            if changed < self.since - lag:
                return
            names = {os.fsencode(one) for one in os.listdir(full)}  # noqa: PTH208 - names alone
        except OSError:
            return
        prefix = folder + b"/" if folder else b""
        if prefix and _GIT in names and prefix not in self.tree.repositories:
            self._refuse_new(EARLY, None)
        paths = [prefix + one for one in sorted(names - {_GIT})]
        with contextlib.suppress(GitError):
            new = [path for path in paths if path not in self.names]
            self._refuse_new(EARLY, sorted(self.tree.left_out(new)))

    def left_out(self, paths: list[bytes]) -> set[bytes]:
        """Those of what changed that git leaves out: Unison need not hear of them."""
        self.told, self.told_at = frozenset(paths), time.time_ns()
        if any(self._is_rule(path) for path in paths):
            raise ValueError(CHANGED)
        try:
            found = self.tree.left_out(paths)
            folders = [path for path in paths if path not in found and self._is_folder(path)]
            # Unison takes a folder as a whole: what is in it has to be known beforehand.
            self._refuse_new(CHANGED, self.tree.names_in(folders))
        except GitError:
            return set()
        return found

    def _refuse_other(self, names: list[bytes]) -> None:
        self._refuse_new(EARLY, names)
        found = {name.rstrip(b"/") for name in names}
        for name in self.names - found:
            if not self.lenient and os.path.lexists(self._full(name)):
                raise ValueError(EARLY)  # a rule has gone

    def _refuse_new(self, why: str, names: list[bytes] | None) -> None:
        if why == EARLY and self.lenient:
            return
        if names is None:
            raise ValueError(why)
        for name in names:
            if name.rstrip(b"/") not in self.names:
                raise ValueError(f"{why}: {quote_from_bytes(name)}")

    def _is_rule(self, path: bytes) -> bool:
        """Whether other rules count since it has changed."""
        folder, slash, name = path.rpartition(b"/")
        if name != _GIT:
            return name == _RULES
        known = folder + slash in self.tree.repositories if folder else not self.git
        return known != os.path.lexists(self._full(path))

    def _is_folder(self, path: bytes) -> bool:
        full = self._full(path)
        return full.is_dir() and not full.is_symlink()

    def _full(self, path: bytes) -> Path:
        return Path(os.fsdecode(self.tree.root + b"/" + path))
