"""The door of a deployment that stands open: who holds it, where it is, and its end.

A lock says whether it stands; the kernel lets go of it with the process, whatever ended that. The
file beside it tells where, and has the link of this moment: mode 0600, in the user's own folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from wrapper.errors import FailedError
from wrapper.home import SECRET_MODE, as_disk_error, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK, _FILE = "door.lock", "door.json"
LOG = "door.log"
_ANSWERS_WITHIN = 3.0
"""Seconds, on this very computer."""
_ENDS_WITHIN = 5.0
"""Seconds until it is killed."""


@dataclass(frozen=True)
class Standing:
    """A door that stands open."""

    pid: int
    port: int
    url: str
    """Opens it, once; secret."""
    token: str
    """Lets programs pass; secret."""


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[None]:
    """The door of this deployment is this process's. FailedError: another one has it."""
    with as_disk_error(folder):
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, SECRET_MODE)
    try:
        if not _locked(descriptor):
            raise FailedError(
                f"Another door of {name} is open, or being opened just now.",
                hint=f"python -m wrapper open {name}",
            )
        try:
            yield
        finally:
            (folder / _FILE).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def tell(folder: Path, url: str, port: int, token: str) -> None:
    """Others find the door, with the link that is good now. DiskError."""
    write_private(folder / _FILE, json.dumps(asdict(Standing(os.getpid(), port, url, token))))


def found(folder: Path) -> Standing | None:
    """The door that stands open; None where there is none, or not yet."""
    if not _held(folder):
        return None
    try:
        return Standing(**json.loads((folder / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def answers(door: Standing) -> bool:
    """It is a door that can be opened, and no process that hangs."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=_ANSWERS_WITHIN)
    try:
        connection.request("GET", "/")  # without its cookie nothing passes
        return connection.getresponse().status == http.HTTPStatus.FORBIDDEN
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(folder: Path) -> bool:
    """No door stands open; whether one did. FailedError: it could not be ended."""
    door = found(folder)
    if door is None:
        return False
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(door.pid, how)
        ends = time.monotonic() + _ENDS_WITHIN
        while time.monotonic() < ends:
            if not _held(folder):
                (folder / _FILE).unlink(missing_ok=True)
                return True
            time.sleep(0.02)
    raise FailedError(f"The door of process {door.pid} does not end.", hint=f"ps {door.pid}")


def _locked(descriptor: int) -> bool:
    """Whoever only looks has it for a moment, too."""
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.01)
    return False


def _held(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # Shared: two that look at the same moment are no door to each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
