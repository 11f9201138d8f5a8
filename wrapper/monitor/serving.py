"""Unison's questions, answered.

The protocol: https://github.com/bcpierce00/unison/blob/v2.52.1/src/fswatch.ml
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from wrapper.monitor.folders import Inotify, Polled, join
from wrapper.monitor.known import Known
from wrapper.monitor.saving import save

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTLED, _CREATED, _WRITING, _LONGEST = 0.03, 0.1, 1.0, 5.0
"""Seconds after a change, a file's making, a write to one that is still open; and at most."""
_SAVING = 3.0
"""Seconds that open tabs get to save."""
_SAFE = "-_.~!*'();:@&=+$,/?#[]"


class Monitor:
    """What Unison asks, answered."""

    def __init__(self, known: Known | None, door: str) -> None:
        self.known, self.door = known, door
        self.roots: dict[str, bytes] = {}
        self.due: dict[bytes, tuple[float, float]] = {}
        """By changed path: when it was first seen, and when it is ripe to be told."""
        self.waiting: set[str] = set()
        self.base, self.path = b"", b""
        self.polled = Polled()
        self.eyes: list[Inotify | Polled] = [self.polled]
        with contextlib.suppress(OSError, AttributeError):
            self.eyes.insert(0, Inotify())

    def serve(self) -> None:
        """Until Unison ends."""
        say("VERSION 1")
        rest = b""
        fds = [0, *(one.fd for one in self.eyes if one.fd is not None)]
        while True:
            ready = select.select(fds, [], [], self._pause())[0]
            if 0 in ready:
                data = os.read(0, 2**16)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._answer(line.decode())
            self._look()

    def _pause(self) -> float | None:
        """Seconds until there is something to do without being told."""
        if not self.waiting:
            return None
        pauses = [due - time.monotonic() for _, due in self.due.values()]
        if self.polled.folders:
            pauses.append(self.polled.next - time.monotonic())
        return max(0.0, min(pauses)) if pauses else None

    def _answer(self, line: str) -> None:
        command, *arguments = line.split(" ")
        words = [unquote_to_bytes(one) for one in arguments]
        if command != "WAIT":
            self.waiting.clear()
        if command == "START":
            self.roots[arguments[0]] = words[1]
            self._begin(words[1], words[2])
        elif command == "DIR":
            self._enter(words[0])
        elif command == "LINK":
            say("OK")
        elif command == "WAIT":
            self.waiting.add(arguments[0])
        elif command == "CHANGES":
            self._tell(self.roots.get(arguments[0]))
        elif command == "RESET":
            self.roots.pop(arguments[0], None)

    def _begin(self, root: bytes, path: bytes) -> None:
        self.base, self.path = join(root, path), path
        with agreeing():
            if self.known:
                self.known.begins(root, path)

    def _enter(self, folder: bytes) -> None:
        """What comes to be in it from now on is told; what came before is all that Unison finds."""
        self._watch(join(self.base, folder))
        with agreeing():
            if self.known:
                self.known.enters(join(self.path, folder) if self.path else folder)

    def _watch(self, folder: bytes) -> None:
        for one in self.eyes:
            try:
                one.add(folder)
            except FileNotFoundError:
                return
            except OSError:
                continue  # the kernel tells of no more folders: looked at then
            return

    def _look(self) -> None:
        """Changes are noted; whoever waits for one that is ripe is told so."""
        now = time.monotonic()
        for one in self.eyes:
            for path, mask in one.read():
                first, _ = self.due.get(path, (now, now))
                delay = _SETTLED
                if mask & Inotify.MODIFY:
                    delay = _WRITING
                elif mask & Inotify.CREATE and not mask & Inotify.ISDIR:
                    delay = _CREATED
                self.due[path] = (first, min(now + delay, first + _LONGEST))
        ripe = [path for path, (_, due) in self.due.items() if due <= now]
        told = [
            one
            for one in sorted(self.waiting)
            if any(below(self.roots.get(one), path) is not None for path in ripe)
        ]
        if told:
            say("CHANGES", *told)
            self.waiting.clear()

    def _tell(self, root: bytes | None) -> None:
        """The paths that are ripe; what is open in JupyterLab is on the disk before."""
        if self.door:
            with contextlib.suppress(OSError, ValueError):
                save(self.door, _SAVING)
        self._look()
        if root is not None:
            try:
                for path in self._ripe(root):
                    say("RECURSIVE", quote_from_bytes(path, _SAFE))
            except ValueError as error:
                refuse(error)
                return
        say("DONE")

    def _ripe(self, root: bytes) -> list[bytes]:
        now = time.monotonic()
        found = set()
        for path, (_, due) in list(self.due.items()):
            name = below(root, path)
            if name is not None and due <= now:
                found.add(name)
                del self.due[path]
        if b"" in found:
            return [b""]
        paths = sorted(found)
        left_out = self.known.left_out(paths) if self.known else set()
        return [path for path in paths if path not in left_out]


def below(root: bytes | None, path: bytes) -> bytes | None:
    """Its name there; an empty one is all of it. None: it is not below."""
    if root is None or not path or path == root:
        return None if root is None else b""
    folder = root.rstrip(b"/") + b"/"
    return path[len(folder) :] if path.startswith(folder) else None


@contextlib.contextmanager
def agreeing() -> Iterator[None]:
    """Unison goes on; or it ends, where a ValueError says why."""
    try:
        yield
    except ValueError as error:
        refuse(error)
    else:
        say("OK")


def refuse(why: ValueError) -> None:
    say("ERROR", quote_from_bytes(str(why).encode(), _SAFE))


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Unison is served until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--door", default="", help="the socket of JupyterLab's tabs")
    parser.add_argument("--git", default="", help="git's folder, where there is no repository")
    parser.add_argument("--known", default="", help="file with what Unison leaves out already")
    parser.add_argument("--lenient", action="store_true", help="bear what it may not know")
    given = parser.parse_args()
    known = Known(given.git, given.known, lenient=given.lenient) if given.known else None
    Monitor(known, given.door).serve()
