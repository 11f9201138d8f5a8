"""What goes on on this machine that a person would miss: docs/adr/0009-autostop.md."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import processes
from terminals import Terminals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from processes import Process

BUSY = 0.1  # of one core; a kernel that is asked nothing takes a hundredth
GPU_BUSY = 5  # percent
GPU = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
SILENCE = 5  # seconds
LIMIT = 2**16  # bytes of an answer
MOST, LONGEST = 20, 200  # things that go on, and characters of one


def plain(words: str) -> str:
    """The words, fit for somebody's terminal: files and programs are named by others."""
    return "".join(one if one.isprintable() else "?" for one in words)[:LONGEST]


class Unanswered(Exception):  # noqa: N818 - neither yes nor no
    """Jupyter runs, and does not say what its kernels do."""


class Door:
    """Jupyter's unix socket; http.client would bring TLS with it, and 7 MB."""

    def __init__(self, path: str, user: int) -> None:
        self.path, self.user = path, user
        self.server = 0  # the number of Jupyter's process, once it has answered

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any] | None:
        """What Jupyter answers; None when it does not run. Raises Unanswered."""
        text = json.dumps(body)
        words = f"{method} {path} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}"
        try:
            data = self._exchange(words)
            if data is None:
                return None
            head, _, answer = data.partition(b"\r\n\r\n")
            found: dict[str, Any] = json.loads(answer)
        except (OSError, ValueError) as error:
            raise Unanswered(f"{error!r}") from error
        if head.split()[1:2] != [b"200"]:
            raise Unanswered(head.partition(b"\r\n")[0].decode(errors="replace")[:100])
        return found

    def _exchange(self, words: str) -> bytes | None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SILENCE)
            try:
                connection.connect(self.path)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            self._check(connection)
            connection.sendall(words.encode())
            return self._whole(connection)

    def _check(self, connection: socket.socket) -> None:
        # The folder is the user's: what lies there may lead to somebody else's socket.
        size = struct.calcsize("3i")
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, user, _ = struct.unpack("3i", peer)
        if user != self.user:
            raise PermissionError(f"{self.path}: not the notebook's server")
        self.server = pid

    @staticmethod
    def _whole(connection: socket.socket) -> bytes:
        ends = time.monotonic() + SILENCE
        data = b""
        while len(data) < LIMIT and (part := connection.recv(LIMIT)):
            data += part
            if time.monotonic() > ends:
                raise TimeoutError("an answer without end")
        return data


class Activity:
    """What is seen, at one look after the other."""

    def __init__(self, door: Door, status: Path, going: Callable[[], list[str]] = list) -> None:
        self.door, self.status, self.going = door, status, going
        self.terminals = Terminals()
        self.before: dict[tuple[int, int], float] | None = None
        self.at = time.monotonic()

    def look(self) -> tuple[list[str], float]:
        """What goes on now, in words, and for how many seconds nothing has run in a kernel."""
        now = time.monotonic()
        seconds, self.at = max(now - self.at, 0.001), now
        table = processes.everyone()
        kernels, quiet = self.kernels()
        found = [
            *self.phases(),
            *kernels,
            *(f"run {name}" for name in self.going()),
            *self.terminals.look(table, seconds),
            *self.processor(table, seconds),
            *gpu(),
        ]
        return list(dict.fromkeys(map(plain, found)))[:MOST], quiet

    def phases(self) -> Iterator[str]:
        """The machine is still being set up: packages take minutes."""
        try:
            phases = json.loads(self.status.read_text())["phases"]
        except (OSError, ValueError, KeyError):
            return
        for name, phase in phases.items():
            if phase.get("state") == "running":
                yield f"phase {name}"

    def kernels(self) -> tuple[list[str], float]:
        """Cells that run, and for how many seconds none has."""
        try:
            found = self.door.ask("GET", "/activity")
            if found is None:
                return [], float("inf")
            quiet = found["quiet"]
            return [f"cell of {name}" for name in found["running"]], (
                float("inf") if quiet is None else float(quiet)
            )
        except (Unanswered, KeyError, TypeError, ValueError):
            # Its kernels may be at work: nobody is to lose that. The lifetime is the limit.
            return ["Jupyter does not say"], float("inf")

    def processor(self, table: Mapping[int, Process], seconds: float) -> Iterator[str]:
        """The user's processes use it. Jupyter's own server does not count: open tabs keep it."""
        before = self.before
        # Of the others not even the owner is looked at again.
        now = {one.key: one.seconds for one in table.values() if self._counts(one)}
        self.before = now
        if before is None:
            return
        used = sum(max(0.0, total - before.get(key, 0.0)) for key, total in now.items())
        if used > BUSY * seconds:
            yield f"processor {used / seconds:.0%}"

    def _counts(self, process: Process) -> bool:
        return process.pid != self.door.server and processes.of_the_user(process.pid)


def gpu() -> Iterator[str]:
    """A GPU is used."""
    if not shutil.which(GPU[0]):
        return
    import subprocess  # noqa: PLC0415 - a megabyte that few machines need

    try:
        said = subprocess.run(GPU, capture_output=True, text=True, timeout=30, check=True).stdout
        used = [int(line) for line in said.split() if line.isdecimal()]
    except (OSError, subprocess.SubprocessError):
        return
    if max(used, default=0) > GPU_BUSY:
        yield f"GPU {max(used)} %"
