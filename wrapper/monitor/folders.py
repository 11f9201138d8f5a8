"""Changes in folders, told by the kernel, or found by looking again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import time
from pathlib import Path

_POLL = 0.5
"""Seconds between two looks, at least."""


class Inotify:
    """The kernel tells of changes in folders: inotify(7)."""

    MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
    CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x100, 0x200, 0x400, 0x800
    OVERFLOW, IGNORED, ONLYDIR, DONT_FOLLOW, ISDIR = 0x4000, 0x8000, 0x1000000, 0x2000000, 1 << 30
    ALL = 0xFCE  # every change, and a close after writing

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.folders: dict[int, bytes] = {}

    def add(self, folder: bytes) -> None:
        """Changes in it are told from now on. OSError."""
        watch = self.libc.inotify_add_watch(
            self.fd, folder, self.ALL | self.ONLYDIR | self.DONT_FOLLOW
        )
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", folder)
        self.folders[watch] = folder

    def read(self) -> list[tuple[bytes, int]]:
        """Paths with what happened there; none of Unison's own writing. An empty path: anything."""
        found: list[tuple[bytes, int, int]] = []
        own: set[int] = set()
        while True:
            try:
                data = os.read(self.fd, 2**16)
            except BlockingIOError:
                break
            at = 0
            while at < len(data):
                watch, mask, cookie, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16 : at + 16 + length].rstrip(b"\0")
                at += 16 + length
                if mask & self.OVERFLOW:
                    found.append((b"", mask, 0))
                elif mask & self.IGNORED:
                    self.folders.pop(watch, None)
                elif name.startswith(b".unison.") and name.endswith(b".unison.tmp"):
                    own.add(cookie)  # what it renames has the same one
                elif folder := self.folders.get(watch):
                    found.append((join(folder, name), mask, cookie))
        return [
            (path, mask)
            for path, mask, cookie in found
            # Folders that it made are not watched yet; rules are to be read again.
            if not cookie or cookie not in own or mask & self.ISDIR or path.endswith(b"/.gitignore")
        ]


class Polled:
    """Where no kernel tells: what folders look like, looked at again."""

    fd = None

    def __init__(self) -> None:
        self.folders: dict[bytes, dict[bytes, tuple[int, ...]]] = {}
        self.next = 0.0

    def add(self, folder: bytes) -> None:
        """Changes from now on are seen."""
        self.folders[folder] = self._look(folder)

    def read(self) -> list[tuple[bytes, int]]:
        """As Inotify does."""
        begun = time.monotonic()
        if begun < self.next:
            return []
        found = []
        for folder, before in list(self.folders.items()):
            now = self._look(folder)
            changed = {name for name, _ in before.items() ^ now.items()}
            found += [(join(folder, name), Inotify.CLOSE_WRITE) for name in changed]
            self.folders[folder] = now
            if not now and not Path(os.fsdecode(folder)).is_dir():
                del self.folders[folder]
        ended = time.monotonic()
        self.next = ended + max(_POLL, 20 * (ended - begun))
        return found

    @staticmethod
    def _look(folder: bytes) -> dict[bytes, tuple[int, ...]]:
        found: dict[bytes, tuple[int, ...]] = {}
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    seen = entry.stat(follow_symlinks=False)
                    written = 0 if stat.S_ISDIR(seen.st_mode) else seen.st_mtime_ns
                    found[entry.name] = (seen.st_ino, seen.st_mode, seen.st_size, written)
        return found


def join(folder: bytes, name: bytes) -> bytes:
    """The path of what is in a folder; the folder's own, where there is no name."""
    return folder.rstrip(b"/") + b"/" + name if name else folder
