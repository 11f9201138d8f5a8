"""Terminals and SSH sessions: when somebody typed there, and what still runs in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from processes import Process

FOLDER = os.environ.get("CLOUDS_ROOT", "").rstrip("/") + "/dev/pts"  # the tests set it
TRANSFER = 2**14  # bytes a second through an SSH session; keep-alives and questions are far less


class Terminals:
    """What was there at the last look."""

    def __init__(self, folder: str = FOLDER) -> None:
        self.folder = folder
        self.typed: dict[str, float] | None = None
        self.moved: dict[tuple[int, int], int] = {}

    def look(self, table: Mapping[int, Process], seconds: float) -> Iterator[str]:
        """What somebody does or runs there, in words; `seconds` since the last look."""
        yield from self.input()
        for one in jobs(table):
            yield f"{one.name} in terminal {one.terminal}"
        for one in commands(table):
            yield f"{one.name} over SSH"
        yield from self.transfers(table, seconds)

    def input(self) -> Iterator[str]:
        """Terminals in which somebody typed since the last look.

        Linux notes when a terminal's input was read, to eight seconds; compared with nothing but
        itself, so that no clock matters:
        https://github.com/torvalds/linux/blob/v6.6/drivers/tty/tty_io.c (tty_update_time)
        """
        now = {}
        for name in os.listdir(self.folder):  # noqa: PTH208 - a megabyte less
            if name.isdecimal():
                try:
                    now[name] = os.stat(f"{self.folder}/{name}").st_atime  # noqa: PTH116 - likewise
                except OSError:
                    continue
        before, self.typed = self.typed, now
        for name, moment in now.items():
            # One that was opened meanwhile was opened by somebody.
            if before is not None and before.get(name) != moment:
                yield f"input in terminal {name}"

    def transfers(self, table: Mapping[int, Process], seconds: float) -> Iterator[str]:
        """SSH sessions that carry data: a sync or a forwarded port, while it does something."""
        now = {}
        for one in table.values():
            if is_session(one, table) and one.terminal < 0:
                # https://man7.org/linux/man-pages/man5/proc_pid_io.5.html
                text = processes.read(f"{processes.PROC}/{one.pid}/io")
                counts = [line.split() for line in text.splitlines()]
                now[one.key] = sum(int(n) for name, n in counts if name in {"rchar:", "wchar:"})
        for key, count in now.items():
            if count - self.moved.get(key, count) > TRANSFER * seconds:
                yield "data over SSH"
        self.moved = now


def is_session(process: Process, table: Mapping[int, Process]) -> bool:
    """Whether it is sshd's process of one connection, and not the one that listens."""
    parent = table.get(process.parent)
    return process.name.startswith("sshd") and bool(parent and parent.name.startswith("sshd"))


def jobs(table: Mapping[int, Process]) -> list[Process]:
    """What runs in terminals, in the foreground or behind, and does not wait for input there."""
    return [
        one
        for one in table.values()
        if one.terminal >= 0
        and processes.of_the_user(one.pid)
        and not processes.idle(one, terminal=True)
    ]


def commands(table: Mapping[int, Process]) -> list[Process]:
    """What was started over SSH without a terminal, and waits for no input from there.

    The other end of a sync (rsync, sftp, Unison) waits for its input, when it has nothing to do.
    """
    return [
        one
        for one in table.values()
        if one.terminal < 0
        and not one.name.startswith("sshd")
        and below_sshd(one, table)
        and not processes.idle(one, terminal=False)
    ]


def below_sshd(process: Process, table: Mapping[int, Process]) -> bool:
    """Whether one of its ancestors is sshd's process of a connection."""
    above = table.get(process.parent)
    while above:
        if is_session(above, table):
            return True
        above = table.get(above.parent)
    return False
