"""A machine's console as EC2 keeps it: the last 64 KiB of what it wrote."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 64 * 1024


class Console:
    """Collects what is read from a machine; the file beside it holds the same, for people."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def add(self, data: bytes) -> None:
        """The data is the console's newest."""
        with self._lock:
            self._bytes += data
            if len(self._bytes) > KEPT:
                del self._bytes[:-KEPT]
            if self._path.parent.is_dir():
                self._path.write_bytes(self._bytes)

    def say(self, line: str) -> None:
        """A line of the embedded EC2's own, where AWS's console would simply end."""
        self.add(f"\r\nembedded EC2: {line}\r\n".encode())

    def read(self) -> bytes:
        """The last 64 KiB."""
        with self._lock:
            return bytes(self._bytes)

    def follow(self, descriptor: int) -> threading.Thread:
        """Everything from the descriptor is added, until its end, by a thread; it closes it."""

        def pump() -> None:
            while data := os.read(descriptor, 65536):
                self.add(data)
            os.close(descriptor)

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread
