"""A unix socket that takes a JSON object and answers one, and systemd's watchdog."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 4096  # bytes of what is asked
SILENCE = 1  # second, in which one who asks has to have asked


class Listener:
    """The socket, for some users of this machine."""

    def __init__(self, path: str, users: set[int], group: int) -> None:
        self.users = users
        Path(path).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        before = os.umask(0o117)
        try:
            self.socket.bind(path)
        finally:
            os.umask(before)
        os.chown(path, -1, group)
        self.socket.listen(8)
        # A signal whose handler returns does not end a wait: https://peps.python.org/pep-0475/
        self.signalled, writer = socket.socketpair()
        writer.setblocking(False)
        self.waker = writer
        signal.set_wakeup_fd(writer.fileno())

    def serve(self, seconds: float, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
        """Whether somebody asked within that time, or until a signal came, and was answered."""
        ready = select.select([self.socket, self.signalled], [], [], seconds)[0]
        if self.signalled in ready:
            self.signalled.recv(LARGEST)
        if self.socket not in ready:
            return False
        connection, _ = self.socket.accept()
        with connection:
            try:
                connection.settimeout(SILENCE)
                if self._peer(connection) in self.users:
                    connection.sendall(json.dumps(self._reply(connection, answer)).encode())
            except (OSError, ValueError) as error:
                print(f"not answered: {error!r}")
        return True

    @staticmethod
    def _peer(connection: socket.socket) -> int:
        size = struct.calcsize("3i")
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", peer)[1])

    @staticmethod
    def _reply(
        connection: socket.socket, answer: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        data, ends = b"", time.monotonic() + SILENCE
        while b"\n" not in data and len(data) < LARGEST and (part := connection.recv(LARGEST)):
            data += part
            if time.monotonic() > ends:
                raise TimeoutError("a question without end")
        try:
            words = json.loads(data)
            if not isinstance(words, dict):
                return {"error": "no JSON object"}
            return answer(words)
        except ValueError as error:
            return {"error": str(error)}


class Watchdog:
    """systemd ends and restarts a program that it does not hear of.

    https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
    """

    def __init__(self) -> None:
        self.address = os.environ.get("NOTIFY_SOCKET", "")
        limit = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
        self.pause = limit / 3 if limit else 60.0

    def ready(self) -> None:
        """It runs."""
        self._say("READY=1")

    def pat(self) -> None:
        """It still does."""
        self._say("WATCHDOG=1")

    def _say(self, words: str) -> None:
        if not self.address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            try:
                connection.connect(self.address.replace("@", "\0", 1))
                connection.send(words.encode())
            except OSError as error:
                print(f"{self.address}: {error}")
