"""A file that one process locks, and says in it who it is; its children hold the lock after it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """Who has the lock, as far as the file says."""

    pid: str
    """Empty where nothing is said."""
    command: str

    @property
    def lives(self) -> bool:
        """Whether that process is there; if not, one that it started has the lock."""
        if not self.pid.isdigit():
            return False
        try:
            os.kill(int(self.pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # another user's
        return True


def take(descriptor: int, command: str) -> Holder | None:
    """The lock is this process's, until the descriptor is closed here and in all that inherit it.

    Else who has it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, 200, 0).decode(errors="replace")
        pid, _, before = said.strip().partition(" ")
        return Holder(pid, before)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {command}\n".encode(), 0)
    return None
