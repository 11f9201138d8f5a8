"""A daemon that starts, is slow, hangs or was killed: who waits, who refuses, what is swept.

The processes are real; where the embedded EC2 keeps things is a folder of the test's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.worlds import bare_world
from wrapper import deployment, local
from wrapper.errors import LocalError
from wrapper.home import Home, Place, Record
from wrapper.home import root as homes
from wrapper.local import cgroups, firewall, health, network, record, service, sweep
from wrapper.local.record import Record as Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wrapper.deployment.world import World


class Answering(BaseHTTPRequestHandler):
    """A daemon's health."""

    pid = 0

    def do_GET(self) -> None:
        body = json.dumps({"pid": self.pid, "machines": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Host:
    """A computer with an embedded EC2 on it."""

    def __init__(self, folder: Path) -> None:
        self.run, self.state = folder / "run", folder / "state"
        self.groups = folder / "groups"
        self.swept = 0
        for one in (self.run, self.state / "machines", self.groups):
            one.mkdir(parents=True)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.process: subprocess.Popen[bytes] | None = None
        self.answers = False

    def daemon(self, stage: str = "") -> int:
        """A process of that name, with its record; nothing answers for it."""
        command = [sys.executable, "-c", "input()", "wrapper.local.daemon"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        while not record.is_daemon(self.process.pid):  # its arguments show a little late
            time.sleep(0.01)
        self.tells(stage)
        return self.process.pid

    def tells(self, stage: str) -> None:
        """The daemon is at that."""
        assert self.process
        told = Told(stage=stage, pid=self.process.pid, port=self.server.server_port)
        (self.run / "daemon.json").write_text(json.dumps(asdict(told)))

    def answer(self) -> None:
        """From now on the daemon does."""
        assert self.process
        Answering.pid = self.process.pid
        self.answers = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def machine(self) -> None:
        """One that outlives its daemon."""
        (self.state / "machines/i-0123").mkdir()

    def sweep(self) -> None:
        """In place of the real one, which is the whole computer's."""
        self.swept += 1
        for one in (self.state / "machines").iterdir():
            one.rmdir()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path / "host")
    monkeypatch.setattr(record, "FILE", made.run / "daemon.json")
    monkeypatch.setattr(service, "RUN", made.run)
    monkeypatch.setattr(service, "sweep", made.sweep)
    monkeypatch.setattr(sweep, "STATE", made.state)
    monkeypatch.setattr(sweep, "HERE", made.state / "blocks")
    monkeypatch.setattr(network, "_FORWARDED", made.run / "ip_forward")
    monkeypatch.setattr(network, "_SPACES", made.run / "netns")
    monkeypatch.setattr(firewall, "HOST_LINK", "none-of-ours")
    group = cgroups._Hierarchy(made.groups, 2, memory=False)
    monkeypatch.setattr(cgroups, "_hierarchies", lambda: [group])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(health, "SLOW", 0.5)
    monkeypatch.setattr(health, "STARTING", 30.0)
    monkeypatch.setattr(health, "_ONE_REQUEST", 0.2)
    yield made
    if made.process:
        made.kill()
    if made.answers:
        # Else its thread would ask for the closed socket's news as fast as it can, for good.
        made.server.shutdown()
    made.server.server_close()


def test_one_that_starts_is_waited_for(host: Host) -> None:
    host.daemon("setting up the network")
    said: list[str] = []

    def report(text: str) -> None:
        said.append(text)
        host.tells("")
        host.answer()

    assert local.settled(report=report).running
    assert "setting up the network" in said[0]


def test_one_that_is_slow_after_a_long_start_has_all_its_time(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0], sleep=time.sleep)
    monkeypatch.setattr(health, "time", clock)
    monkeypatch.setattr(health, "SLOW", 30.0)
    monkeypatch.setattr(health, "STARTING", 1000.0)
    monkeypatch.setattr(health, "_ONE_REQUEST", 2.0)
    host.daemon("setting up the network")

    def report(text: str) -> None:
        if "network" in text:
            late[0] = 500.0
            host.tells("")
        else:
            host.answer()

    assert local.settled(report=report).running


def test_one_that_ends_meanwhile_does_not_run(host: Host) -> None:
    host.daemon("setting up the network")
    assert not local.settled(report=lambda _: host.kill()).running


def test_one_that_hangs_is_told_of_with_its_process(host: Host) -> None:
    pid = host.daemon()
    assert (local.status().running, local.status().pid) == (False, pid)
    with pytest.raises(LocalError, match=rf"process {pid}\) is not answering") as raised:
        local.settled()
    assert "local stop" in str(raised.value.hint)


def test_one_that_hangs_is_not_killed_with_the_machines_on_it(host: Host) -> None:
    pid = host.daemon()
    host.machine()
    (host.state / "blocks/volumes").mkdir(parents=True)
    for name in ("vol-01", "vol-02"):
        (host.state / "blocks/volumes" / name).touch()
    with pytest.raises(LocalError, match="holds 1 machine, 2 volumes, which would end") as raised:
        service._start(lambda _: None)
    assert "python -m wrapper local stop" in str(raised.value.hint)
    os.kill(pid, 0)
    assert host.swept == 0


def test_with_nothing_on_it_one_that_hangs_makes_way(host: Host) -> None:
    host.daemon()
    assert not service._answers(lambda _: None)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("state/machines/i-0123", id="a machine's disk"),
        pytest.param("state/blocks/volumes/vol-0123", id="a volume"),
        pytest.param("run/netns/jupyter-clouds-router", id="a network"),
        pytest.param("run/ip_forward", id="forwarding, switched on"),
    ],
)
def test_what_a_killed_one_left_is_noticed(host: Host, left: str) -> None:
    assert not sweep.remains()
    (host.run.parent / left).mkdir(parents=True)
    assert sweep.remains()


def test_a_process_of_a_machine_is_noticed(host: Host) -> None:
    group = host.groups / "jupyter-clouds/i-0123"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("4711\n")
    assert sweep.remains()


def test_what_cannot_be_swept_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.machine()
    monkeypatch.setattr(service, "sweep", lambda: None)
    with pytest.raises(LocalError, match="something is left on this host, and stays"):
        local.clear()


def test_under_a_running_one_nothing_is_swept(host: Host) -> None:
    pid = host.daemon("setting up the network")
    host.machine()
    with pytest.raises(LocalError, match=f"started meanwhile, as process {pid}"):
        local.clear()
    assert host.swept == 0


@pytest.fixture
def world(host: Host, tmp_path: Path) -> Iterator[World]:
    """A computer that remembers `moon` on the embedded EC2, which is the host's."""
    del host
    with served() as account:
        bare = bare_world(tmp_path, account, None, [])
        home = Home(homes(bare.environment) / "moon")
        home.create()
        home.remember(Record(name="moon", place=Place("local", "us-east-1", "123456789012")))
        yield replace(bare, embedded=lambda: local)


def remembered(world: World) -> list[str]:
    return [one.name for one in deployment.every(world)]


def test_down_claims_nothing_while_the_daemon_is_silent(host: Host, world: World) -> None:
    host.daemon()
    host.machine()
    with pytest.raises(LocalError, match="is not answering"):
        deployment.down(world, "moon")
    assert remembered(world) == ["moon"]
    assert host.swept == 0


def test_down_sweeps_what_a_killed_daemon_left_before_it_claims(host: Host, world: World) -> None:
    host.daemon()
    host.kill()
    host.machine()
    assert deployment.down(world, "moon").ended == ()
    assert host.swept == 1
    assert remembered(world) == []


def test_down_keeps_the_deployment_when_the_sweep_fails(
    host: Host, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.machine()
    monkeypatch.setattr(service, "sweep", lambda: None)
    with pytest.raises(LocalError, match="stays"):
        deployment.down(world, "moon")
    assert remembered(world) == ["moon"]


def test_a_silent_daemon_is_not_said_to_be_gone(host: Host, world: World) -> None:
    pid = host.daemon()
    with pytest.raises(LocalError, match=rf"process {pid}\) is not answering"):
        deployment.status(world, "moon")
