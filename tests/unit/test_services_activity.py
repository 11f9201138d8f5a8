"""What counts as use of the machine, each kind with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.services_machine import until
from tests.unit.used_machine import programs, whose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["programs"]  # a fixture, for pytest to find here

RUN = "jupyter\\x2dclouds\\x2drun"


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
