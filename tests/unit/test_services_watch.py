"""The watch, asking a real HTTP server that plays the metadata service."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.services_machine import Machine, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

INTERRUPTION, REBALANCE = "spot/instance-action", "events/recommendations/rebalance"
STOP = '{"action": "stop", "time": "2026-11-23T10:11:12Z"}'
TOLD = "jupyter-clouds: notice kind=interruption action=stop time=2026-11-23T10:11:12Z"


class Watched(Machine):
    """A machine whose systemctl notes what it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.process: subprocess.Popen[str] | None = None
        self.tool("systemctl", f'echo "$*" >> {root}/started')

    def watch(self) -> None:
        self.process = self.start("watch")

    def end(self) -> str:
        """What it had printed, killed as a machine would be."""
        assert self.process
        self.process.kill()
        return self.process.communicate()[0]

    def started(self) -> list[str]:
        path = self.root / "started"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.rpartition("@")[2].removesuffix(".service") for line in lines]

    def polls(self, number: int = 3) -> None:
        """It has asked so many times more."""
        before = self.metadata.asked.count(INTERRUPTION)
        until(lambda: self.metadata.asked.count(INTERRUPTION) >= before + number)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    yield found
    if found.process and found.process.poll() is None:
        found.end()


def test_without_a_notice_it_asks_on_with_one_token(machine: Watched) -> None:
    machine.watch()
    machine.polls(10)
    assert machine.started() == []
    assert machine.metadata.tokens == 1
    assert machine.metadata.ttl == "21600"
    assert machine.metadata.asked.count("instance-life-cycle") == 1


def test_a_notice_starts_one_rescue_and_is_on_the_console(machine: Watched) -> None:
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.watch()
    machine.polls(5)
    assert machine.started() == ["interruption"]
    assert machine.console() == [TOLD]
    path = machine.root / "run/jupyter-clouds/notice-interruption.json"
    assert json.loads(path.read_text()) == json.loads(STOP)


def test_the_next_notice_starts_another(machine: Watched) -> None:
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.watch()
    machine.polls()
    machine.metadata.texts[INTERRUPTION] = STOP.replace("10:11", "23:59")
    machine.polls()
    assert machine.started() == ["interruption"] * 2


def test_a_notice_that_is_gone_leaves_no_mark_for_what_comes_after_a_hibernation(
    machine: Watched,
) -> None:
    left = machine.root / "run/jupyter-clouds"
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.watch()
    machine.polls()
    assert len(list(left.glob("notice-*"))) == 2
    # Not to be known is not to be gone.
    machine.metadata.broken = lambda handler: handler.answer(500)
    machine.polls()
    assert len(list(left.glob("notice-*"))) == 2
    machine.metadata.broken = None
    del machine.metadata.texts[INTERRUPTION]
    until(lambda: not list(left.glob("notice-*")))
    assert machine.started() == ["interruption"]


def test_a_watch_that_was_killed_does_not_start_it_again(machine: Watched) -> None:
    machine.metadata.texts[INTERRUPTION] = STOP
    for _ in range(2):
        machine.watch()
        machine.polls()
        machine.end()
    assert machine.started() == ["interruption"]


def test_a_rescue_that_systemd_refuses_is_run_from_here(machine: Watched) -> None:
    machine.tool("systemctl", "exit 1")
    (machine.programs / "rescue.py").write_text(f"#!/bin/sh\necho @$1 >> {machine.root}/started\n")
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.watch()
    until(machine.started)
    machine.polls()
    assert machine.started() == ["interruption"]


def test_a_rebalance_recommendation_is_told_until_it_is_an_interruption(machine: Watched) -> None:
    machine.metadata.texts[REBALANCE] = '{"noticeTime": "2026-11-23T10:00:00Z"}'
    machine.watch()
    machine.polls()
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.polls()
    assert machine.started() == ["rebalance", "interruption"]
    rebalance = "jupyter-clouds: notice kind=rebalance time=2026-11-23T10:00:00Z"
    assert machine.console() == [rebalance, TOLD]


@pytest.mark.parametrize(
    "forget",
    [
        pytest.param(lambda known: setattr(known, "expired", known.tokens), id="run out"),
        pytest.param(lambda known: setattr(known, "tokens", known.tokens + 1), id="still good"),
    ],
)
def test_a_token_is_renewed_when_it_has_run_out(
    machine: Watched, forget: Callable[[Any], None]
) -> None:
    machine.watch()
    machine.polls()
    forget(machine.metadata)
    machine.metadata.texts[INTERRUPTION] = STOP
    machine.polls(5)
    assert machine.started() == ["interruption"]
    assert machine.metadata.tokens == 2


def reset(handler: Any) -> None:
    with contextlib.suppress(OSError):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(STOP.encode())
    reset(handler)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda handler: handler.answer(500, "x"), id="500"),
        pytest.param(lambda handler: handler.answer(200, "no notice"), id="no JSON"),
        pytest.param(lambda handler: handler.answer(200, "[1]"), id="other JSON"),
        pytest.param(lambda handler: handler.answer(200), id="empty"),
        pytest.param(
            lambda handler: handler.answer(200, '{"action": "\\n\\u001b[2J"}'), id="forged"
        ),
        pytest.param(lambda handler: handler.wfile.write(b"\0" * 200_000), id="no HTTP"),
        pytest.param(cut, id="cut short"),
        pytest.param(reset, id="reset"),
    ],
)
def test_a_broken_service_is_no_notice_and_no_end(
    machine: Watched, broken: Callable[[Any], None]
) -> None:
    machine.metadata.broken = broken
    machine.watch()
    machine.polls()
    assert machine.started() == []
    machine.metadata.broken = None
    machine.metadata.texts[INTERRUPTION] = STOP
    until(machine.started)
    machine.polls()
    assert machine.started() == ["interruption"]
    said = [line for line in machine.end().splitlines() if line.startswith("metadata: ")]
    # Once, not at every poll; the first is of another question.
    assert 2 <= len(said) <= 4
    assert said[-1] == "metadata: answers again"


def test_a_service_that_is_not_there_yet_is_waited_for(machine: Watched) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        machine.metadata_port = nobody.getsockname()[1]
        machine.watch()
        assert machine.process
        assert machine.process.stdout
        assert "metadata: api/token" in machine.process.stdout.readline()
        assert machine.process.poll() is None


def test_on_an_on_demand_machine_it_ends_by_itself(machine: Watched) -> None:
    machine.metadata.texts["instance-life-cycle"] = "on-demand"
    machine.watch()
    assert machine.process
    assert machine.process.wait(30) == 0
    assert machine.metadata.asked == ["instance-life-cycle"]


def test_it_is_small(machine: Watched) -> None:
    machine.watch()
    machine.polls(20)
    assert machine.process
    status = f"/proc/{machine.process.pid}/status"
    with open(status) as file:  # noqa: PTH123 - no file on a disk
        size = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    assert size < 15 * 1024
