"""What in a terminal counts as use of the machine, with real shells."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.services_machine import until
from tests.unit.used_machine import programs, whose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["programs"]  # a fixture, for pytest to find here


class Terminal:
    """A user's shell in a terminal of its own."""

    def __init__(self, processes: Any) -> None:
        self.processes = processes
        self.keyboard, screen = pty.openpty()
        os.fchmod(screen, 0o666)
        code = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        code += "os.execv('/bin/bash', ['bash', '--norc', '--noprofile', '-i'])"
        self.shell = subprocess.Popen(
            ["/usr/bin/python3", "-c", code],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PS1": "ready$ ", "TERM": "dumb", "HOME": "/"},
            start_new_session=True,
            **whose(),
        )
        os.close(screen)
        self.shown = b""
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()
        until(lambda: b"ready$ " in self.shown)

    def read(self) -> None:
        try:
            while data := os.read(self.keyboard, 4096):
                self.shown += data
        except OSError:
            return

    def type(self, words: str) -> None:
        os.write(self.keyboard, words.encode())

    def table(self) -> dict[int, Any]:
        """Of all processes those in this terminal."""
        everyone = self.processes.everyone()
        return {one.pid: one for one in everyone.values() if one.session == self.shell.pid}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.table().values():
            # Some end with their neighbours.
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        self.shell.wait()
        os.close(self.keyboard)


WAITING = {
    "prompt": ("", "bash"),
    "script that asks": ("bash -c 'read -p so? answer'\n", "bash"),
    "interpreter": ("/usr/bin/python3 -q\n", "python3"),
    "readers": ("cat | cat\n", "cat"),
    "suspended": ("sleep 1000 & kill -STOP $!\n", ""),
    "page that is read": ("yes | bash -c 'read -p more? answer </dev/tty'\n", "yes"),
    "event loop": (
        "/usr/bin/python3 -c 'import select; e = select.epoll(); e.register(0, 1); e.poll()'\n",
        "python3",
    ),
    "program that looks every second": (
        "/usr/bin/python3 -c 'import select\nwhile 1: select.select([0], [], [], 1)'\n",
        "python3",
    ),
}
BESIDE = "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()"
WORKING = {
    "in front": ("sleep 1000\n", "sleep"),
    "behind": ("sleep 1000 &\n", "sleep"),
    "below a shell": ("bash -c 'sleep 1000; :'\n", "sleep"),
    "into a pager": ("sleep 1000 | cat\n", "sleep"),
    "computing": ("while :; do :; done\n", "bash"),
    "waiting for another machine": (
        "/usr/bin/python3 -c 'import socket; s = socket.socketpair(); s[0].recv(1)'\n",
        "python3",
    ),
    "thread beside the prompt": (
        f"/usr/bin/python3 -qi -c '{BESIDE}'\n",
        "python3",
    ),
}


def seen(terminal: Terminal, name: str) -> bool:
    """Whether it is there; without a name, whether something is suspended."""
    return any(one.name == name or one.state == "T" for one in terminal.table().values())


@pytest.mark.parametrize("kind", WAITING)
def test_what_waits_for_input_in_a_terminal_is_no_job(
    programs: Callable[[str], Any], kind: str
) -> None:
    words, name = WAITING[kind]
    jobs = programs("terminals").jobs
    with Terminal(programs("processes")) as terminal:
        terminal.type(words)
        until(lambda: seen(terminal, name))
        # Until it has come to waiting; never, were it wrongly taken for a job.
        until(lambda: not jobs(terminal.table()))


@pytest.mark.parametrize("kind", WORKING)
def test_what_runs_in_a_terminal_is_a_job(programs: Callable[[str], Any], kind: str) -> None:
    words, name = WORKING[kind]
    jobs = programs("terminals").jobs
    with Terminal(programs("processes")) as terminal:
        terminal.type(words)
        until(lambda: seen(terminal, name))
        until(lambda: jobs(terminal.table()))  # a shell is there before it has read what was typed
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            names = {one.name for one in jobs(terminal.table())}
            # What the shell does on its way there may be seen, too.
            assert names
            time.sleep(0.05)
        until(lambda: {one.name for one in jobs(terminal.table())} == {name})


def test_a_terminal_is_used_when_its_input_was_read(
    programs: Callable[[str], Any], tmp_path: Path
) -> None:
    terminals = programs("terminals").Terminals(str(tmp_path))
    for name in ("0", "1", "ptmx"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    assert list(terminals.input()) == []
    assert list(terminals.input()) == []
    os.utime(tmp_path / "1", (1016, 1000))
    assert list(terminals.input()) == ["input in terminal 1"]
    assert list(terminals.input()) == []
    # What it shows does not count, nor a clock that was put right.
    os.utime(tmp_path / "1", (1016, 5000))
    assert list(terminals.input()) == []
    (tmp_path / "2").touch()
    assert list(terminals.input()) == ["input in terminal 2"]
    (tmp_path / "2").unlink()
    assert list(terminals.input()) == []
