"""What counts as use of the machine, each kind with real processes and terminals."""

from __future__ import annotations

import importlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.machine_tree import lay_out
from tests.unit.services_machine import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RUN = "jupyter\\x2dclouds\\x2drun"
USER = 1000
"""Whose processes are a user's; root, as whom the tests may run, is not one."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """The machine's modules, as they lie beside each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(lay_out(tmp_path_factory.mktemp("machine")) / "services"))
        yield importlib.import_module
    for name in ("activity", "processes", "terminals"):
        sys.modules.pop(name, None)


def whose() -> dict[str, Any]:
    """A user's process, also where the tests are root's."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


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


class Session:
    """What sshd starts for a connection, played by bash under that name."""

    def __init__(self, folder: Path, command: str, processes: Any) -> None:
        self.processes = processes
        sshd = folder / "sshd"
        shutil.copy("/bin/bash", sshd)
        sshd.chmod(0o755)
        folder.chmod(0o755)
        # The one that listens, the one of this connection, and what it was asked to run.
        self.process = subprocess.Popen(
            [sshd, "-c", f"\"{sshd}\" -c '{command} <&0; :'; :"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def table(self) -> dict[int, Any]:
        everyone = self.processes.everyone()
        pid = self.process.pid
        return {one.pid: one for one in everyone.values() if one.session == pid}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


@pytest.mark.parametrize(
    ("command", "name", "busy"),
    [
        pytest.param("sleep 1000", "sleep", True, id="a command"),
        pytest.param("cat", "cat", False, id="the other end of a sync, idle"),
        pytest.param(
            '/usr/bin/python3 -c "import select; select.select([0], [], [], 60)"',
            "python3",
            False,
            id="one that looks at its input now and then",
        ),
    ],
)
def test_a_command_over_ssh_is_work_unless_it_waits_for_its_input(
    programs: Callable[[str], Any], tmp_path: Path, command: str, name: str, *, busy: bool
) -> None:
    commands = programs("terminals").commands
    with Session(tmp_path, command, programs("processes")) as session:
        until(lambda: name in {one.name for one in session.table().values()})
        if busy:
            until(lambda: [one.name for one in commands(session.table())] == [name])
        else:
            until(lambda: commands(session.table()) == [])


def test_data_over_ssh_is_work_and_a_keepalive_is_not(
    programs: Callable[[str], Any], tmp_path: Path
) -> None:
    terminals = programs("terminals").Terminals()
    # The connection's own process passes on what comes.
    words = "while read -r line; do echo $line; done"
    with Session(tmp_path, words, programs("processes")) as session:
        until(lambda: len(session.table()) >= 2)
        assert session.process.stdin
        assert session.process.stdout
        assert list(terminals.transfers(session.table(), 1)) == []
        session.process.stdin.write(b"alive\n")
        session.process.stdin.flush()
        assert session.process.stdout.readline() == b"alive\n"
        assert list(terminals.transfers(session.table(), 1)) == []
        for _ in range(30):
            session.process.stdin.write(b"x" * 999 + b"\n")
            session.process.stdin.flush()
            assert len(session.process.stdout.readline()) == 1000
        assert list(terminals.transfers(session.table(), 1)) == ["data over SSH"]
        assert list(terminals.transfers(session.table(), 1)) == []


class Quiet:
    """A Jupyter that does not run."""

    server = 0

    def ask(self, *_: object) -> None:
        """Nobody is there."""


def test_computing_is_work_and_waiting_is_not(
    programs: Callable[[str], Any], tmp_path: Path
) -> None:
    processes = programs("processes")
    activity = programs("activity").Activity(Quiet(), tmp_path / "status.json")

    def used(*pids: int) -> list[str]:
        table = {pid: processes.look(pid) for pid in pids}
        # Of a second, however long the test is kept waiting for its own turn.
        return list(activity.processor(table, 1))

    code = "while :; do :; done"
    busy = subprocess.Popen(["bash", "-c", code], cwd="/", **whose())
    calm = subprocess.Popen(["sleep", "1000"], cwd="/", **whose())
    try:
        assert used(busy.pid, calm.pid) == []
        before = processes.look(busy.pid).seconds
        until(lambda: processes.look(busy.pid).seconds > before + 0.3)
        (word,) = used(busy.pid, calm.pid)
        assert word.startswith("processor ")
        assert used(calm.pid) == []
        assert used(calm.pid) == []
        # Jupyter's own server is kept busy by tabs that nobody looks at.
        activity.door.server = busy.pid
        used(busy.pid)
        before = processes.look(busy.pid).seconds
        until(lambda: processes.look(busy.pid).seconds > before + 0.3)
        assert used(busy.pid) == []
    finally:
        for one in (busy, calm):
            one.kill()
            one.wait()


@pytest.mark.parametrize(
    ("group", "ours"),
    [
        ("0::/system.slice/jupyter-clouds-notebook.service", True),
        ("1:name=systemd:/system.slice/jupyter-clouds-notebook.service", True),
        ("0::/user.slice/user-0.slice/session-4.scope", True),
        ("0::/system.slice/docker-0123abcd.scope", True),
        (f"0::/system.slice/system-{RUN}.slice/jupyter-clouds-run@20261123-164746-a.service", True),
        ("0::/system.slice/jupyter-clouds-rescue@idle.service", False),
        ("0::/system.slice/ssh.service", False),
        ("0::/init.scope", False),
    ],
)
def test_whose_a_process_of_root_is_says_its_control_group(
    programs: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, group: str, *, ours: bool
) -> None:
    processes = programs("processes")
    monkeypatch.setattr(processes, "read", lambda _: group)
    monkeypatch.setattr(processes, "FIRST", os.geteuid() + 1)
    assert processes.of_the_user(os.getpid()) is ours


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 0; echo 97", ["GPU 97 %"]),
        ("echo 0; echo 3", []),
        ("echo '[N/A]'", []),
        ("echo 97; exit 9", []),
    ],
    ids=["one works", "none does", "says nothing", "broken"],
)
def test_a_gpu_at_work_is_work(
    programs: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    words: list[str],
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert list(programs("activity").gpu()) == words


def test_a_machine_that_is_being_set_up_is_at_work(
    programs: Callable[[str], Any], tmp_path: Path
) -> None:
    path = tmp_path / "status.json"
    activity = programs("activity").Activity(Quiet(), path)
    assert list(activity.phases()) == []
    states = {"conda": {"state": "done"}, "environment": {"state": "running"}}
    path.write_text(json.dumps({"phases": states}))
    assert list(activity.phases()) == ["phase environment"]
    states["environment"]["state"] = "failed"
    path.write_text(json.dumps({"phases": states}))
    assert list(activity.phases()) == []
