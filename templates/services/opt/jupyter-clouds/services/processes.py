"""The machine's processes: whose they are, what they used, and who waits for a person's input.

https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
https://man7.org/linux/man-pages/man5/proc_pid_syscall.5.html
"""

from __future__ import annotations

import os
import re
import struct
from typing import NamedTuple

PROC = os.environ.get("CLOUDS_ROOT", "").rstrip("/") + "/proc"  # the tests set it
READ, WRITE, POLL, SELECT, EPOLL = "read", "write", "poll", "select", "epoll"
CHILD, LOCK = "child", "lock"
# Numbers of what a thread can wait in:
# https://github.com/torvalds/linux/blob/master/arch/x86/entry/syscalls/syscall_64.tbl
# https://github.com/torvalds/linux/blob/master/include/uapi/asm-generic/unistd.h
CALLS = {
    "x86_64": {0: READ, 19: READ, 1: WRITE, 20: WRITE, 7: POLL, 271: POLL, 23: SELECT, 270: SELECT}
    | {232: EPOLL, 281: EPOLL, 441: EPOLL, 61: CHILD, 247: CHILD, 202: LOCK},
    "aarch64": {
        63: READ,
        65: READ,
        64: WRITE,
        66: WRITE,
        73: POLL,
        72: SELECT,
        22: EPOLL,
        441: EPOLL,
    }
    | {260: CHILD, 95: CHILD, 98: LOCK},
}.get(os.uname().machine, {})
TERMINALS = range(136, 144)  # major numbers of /dev/pts
POLLIN, MOST = 1, 1024
# The user's are those of the notebook and its kernels, of logins, and of their containers.
OURS = re.compile(r"/jupyter-clouds-(notebook|run@[\w-]+)\.service|/user\.slice/|/machine\.slice/")
SYSTEM = re.compile(r"/jupyter-clouds-(?!notebook|run@)[\w@-]+\.service")  # a rescue, for one
CONTAINER = re.compile(r"(docker|libpod|crio|containerd)[-:][^/]*\.scope|/docker/|/kubepods")
FIRST, NOBODY = (
    1000,
    65534,
)  # https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes
TICK = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One, at the moment of the look."""

    pid: int
    name: str
    state: str
    parent: int
    session: int
    terminal: int  # of /dev/pts, or -1
    seconds: float  # of a processor, its ended children's included
    started: int

    @property
    def key(self) -> tuple[int, int]:
        """Its own for ever, where numbers are given again."""
        return self.pid, self.started


def read(path: str) -> str:
    """The file's text; empty when there is none any more."""
    try:
        with open(path, errors="replace") as file:  # noqa: PTH123 - a megabyte less
            return file.read(2**16)
    except OSError:
        return ""


def look(pid: int) -> Process | None:
    """The process, if it is there still."""
    head, bracket, tail = read(f"{PROC}/{pid}/stat").rpartition(")")
    if not bracket:
        return None
    words = tail.split()
    device = int(words[4])
    major, minor = (device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)
    number = (major - TERMINALS.start) * 256 + minor if major in TERMINALS else -1
    seconds = sum(map(int, words[11:15])) / TICK
    name = head.partition("(")[2]
    return Process(
        pid, name, words[0], int(words[1]), int(words[3]), number, seconds, int(words[19])
    )


def everyone() -> dict[int, Process]:
    """All processes, by number."""
    found = (look(int(name)) for name in os.listdir(PROC) if name.isdecimal())  # noqa: PTH208 - likewise
    return {one.pid: one for one in found if one}


def of_the_user(pid: int) -> bool:
    """Whether what it does is the user's work, and not the system's."""
    try:
        uid = os.stat(f"{PROC}/{pid}").st_uid  # noqa: PTH116 - likewise
    except OSError:
        return False
    groups = read(f"{PROC}/{pid}/cgroup")
    if SYSTEM.search(groups):
        return False
    return FIRST <= uid != NOBODY or bool(OURS.search(groups) or CONTAINER.search(groups))


def idle(process: Process, *, terminal: bool) -> bool:
    """Whether it can but wait: for a person's input, for its children, or it is suspended.

    Every thread has to be seen waiting; what cannot be seen is at work. `terminal`: input comes
    from a terminal; else from descriptor 0.
    """
    if process.state in "TtZX":
        return True
    if not CALLS:
        # Nothing known of this processor: then shells wait, and all else works.
        return process.pid == process.session
    try:
        threads = os.listdir(f"{PROC}/{process.pid}/task")  # noqa: PTH208 - likewise
    except OSError:
        return True
    kinds = [_waits(process.pid, thread, terminal=terminal) for thread in threads]
    return all(kinds) and any(kind != LOCK for kind in kinds)


def _waits(pid: int, thread: str, *, terminal: bool) -> str:
    """What the thread waits in; empty when it works, or waits for something else."""
    words = read(f"{PROC}/{pid}/task/{thread}/syscall").split()
    kind = CALLS.get(int(words[0]), "") if words and words[0].isdecimal() else ""
    if kind in {CHILD, ""}:
        return kind
    first, second, _, fourth = (int(word, 16) for word in words[1:5])
    if kind == LOCK:
        # For another thread, and for no time that ends: futex(2)
        return kind if not fourth else ""
    # What is at the other end of a pipe is looked at by itself.
    if kind in {READ, WRITE} and _leads(pid, first).startswith("pipe:"):
        return kind
    if kind == WRITE:
        return ""
    watched = {
        READ: lambda: [first],
        POLL: lambda: _polled(pid, first, second),
        SELECT: lambda: _selected(pid, first, second),
        EPOLL: lambda: _epolled(pid, first),
    }[kind]()
    return kind if any(_is_input(pid, one, terminal=terminal) for one in watched) else ""


def _is_input(pid: int, descriptor: int, *, terminal: bool) -> bool:
    if not terminal:
        return descriptor == 0
    return _leads(pid, descriptor).startswith(("/dev/pts/", "/dev/tty"))


def _leads(pid: int, descriptor: int) -> str:
    try:
        return os.readlink(f"{PROC}/{pid}/fd/{descriptor}")  # noqa: PTH115 - likewise
    except OSError:
        return ""


def _memory(pid: int, address: int, size: int) -> bytes:
    try:
        with open(f"{PROC}/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - likewise
            memory.seek(address)
            return memory.read(size) or b""
    except (OSError, OverflowError, ValueError):
        return b""


def _polled(pid: int, address: int, count: int) -> list[int]:
    """Descriptors that poll(2) waits to read from."""
    data = _memory(pid, address, 8 * min(count, MOST))
    whole = data[: len(data) // 8 * 8]
    return [one for one, events, _ in struct.iter_unpack("ihh", whole) if events & POLLIN]


def _selected(pid: int, count: int, address: int) -> list[int]:
    """Descriptors that select(2) waits to read from."""
    if not address:
        return []
    # A set is made of longs.
    data = _memory(pid, address, 8 * (min(count, MOST) // 64 + 1))
    bits = int.from_bytes(data, "little")
    return [one for one in range(min(count, MOST)) if bits >> one & 1]


def _epolled(pid: int, descriptor: int) -> list[int]:
    """Descriptors that epoll(7) waits for: https://docs.kernel.org/filesystems/proc.html"""
    found = re.findall(
        r"tfd: +(\d+) events: +([0-9a-f]+)", read(f"{PROC}/{pid}/fdinfo/{descriptor}")
    )
    return [int(one) for one, events in found if int(events, 16) & POLLIN]
