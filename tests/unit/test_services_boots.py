"""The hours of a machine, and its time without use, over stops, interruptions and boots."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from tests.unit.services_machine import after_a_sleep, until
from tests.unit.stopping import Stopping, began, machine

__all__ = ["machine"]  # a fixture, for pytest to find here


def stopped_from_outside(machine: Stopping) -> None:
    machine.jobs.write_text("123 poweroff.target start waiting\n")
    machine.end(signal.SIGTERM)


def test_the_next_boot_tells_when_it_went_down(machine: Stopping) -> None:
    machine.run(1)
    assert machine.ask()["last_ended"] is None
    stopped_from_outside(machine)
    at = json.loads((machine.root / "var/lib/jupyter-clouds/autostop.json").read_text())["ended_at"]
    machine.boot("second")
    machine.run(1)
    assert machine.ask()["last_ended"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    machine.ask(do="begin")
    machine.end()
    # Its data on another machine, which has never ended.
    (machine.root / "etc/machine-id").write_text("elsewhere\n")
    machine.boot("third")
    machine.run(1)
    assert machine.ask()["last_ended"] is None


def noticed(machine: Stopping, seconds: float) -> None:
    """EC2 has announced that it takes the machine in so many seconds."""
    folder = machine.root / "run/jupyter-clouds"
    (folder / "notice-interruption.acted").touch()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    given = {"action": "stop", "time": moment}
    (folder / "notice-interruption.json").write_text(json.dumps(given))


def interrupted(machine: Stopping) -> None:
    noticed(machine, 0)
    stopped_from_outside(machine)


def interrupted_with_half_a_notice(machine: Stopping) -> None:
    (machine.root / "run/jupyter-clouds/notice-interruption.acted").touch()
    stopped_from_outside(machine)


def stopped_within_the_two_minutes(machine: Stopping) -> None:
    noticed(machine, 100)
    stopped_from_outside(machine)


def rebooted(machine: Stopping) -> None:
    machine.jobs.write_text("123 reboot.target start waiting\n")
    machine.end(signal.SIGTERM)


def unplugged(machine: Stopping) -> None:
    machine.end()


def moved(machine: Stopping) -> None:
    machine.end()
    (machine.root / "etc/machine-id").write_text("elsewhere\n")


def stopped_itself(machine: Stopping) -> None:
    machine.ask(do="set", idle_minutes=0.0001)
    until(machine.is_off)
    machine.end(signal.SIGTERM)


ENDS = pytest.mark.parametrize(
    ("end", "anew"),
    [
        (stopped_from_outside, True),
        (stopped_within_the_two_minutes, True),
        (stopped_itself, True),
        (moved, True),
        (interrupted, False),
        (interrupted_with_half_a_notice, False),
        (rebooted, False),
        (unplugged, False),
    ],
    ids=lambda one: one.__name__ if callable(one) else str(one),
)


@ENDS
def test_the_hours_are_counted_from_a_start_that_somebody_wanted(
    machine: Stopping, end: Any, *, anew: bool
) -> None:
    machine.told(idle_minutes=45, max_hours=12)
    machine.run(1)
    first = began(machine)
    end(machine)
    machine.boot("second")
    machine.run(1)
    assert (began(machine) > first) is anew
    machine.end()


@ENDS
def test_a_start_that_somebody_wanted_has_a_whole_window_and_another_goes_on(
    machine: Stopping, end: Any, *, anew: bool
) -> None:
    machine.run(1)
    end(machine)
    machine.hours_later(0.5)
    machine.boot("second")
    # Setting itself up is no use of a machine.
    machine.phase("running")
    machine.run(1)
    known = json.loads((machine.root / "run/jupyter-clouds/autostop.json").read_text())
    unused = time.clock_gettime(time.CLOCK_BOOTTIME) - known["active"]
    assert (unused < 1800) is anew


def test_a_machine_that_came_back_unused_says_so_and_stops_when_it_is_set_up(
    machine: Stopping,
) -> None:
    machine.run(1)
    interrupted(machine)
    machine.hours_later(5)
    machine.boot("second")
    machine.phase("running")
    machine.run()
    until(machine.shown)
    machine.looks()
    assert machine.done() == []
    machine.phase("done")
    until(machine.is_off)


def test_who_starts_such_a_machine_has_a_whole_window(machine: Stopping) -> None:
    machine.run(1)
    interrupted(machine)
    machine.hours_later(5)
    machine.boot("second")
    machine.run(1)
    assert machine.shown()
    machine.ask(do="begin")
    until(lambda: machine.shown() is None)
    # And so it remains after the next one that nobody wanted.
    machine.end()
    machine.boot("third")
    machine.run(1)
    assert machine.shown() is None


def test_the_last_use_outlives_a_power_loss(machine: Stopping) -> None:
    def noted() -> float:
        found: float = json.loads(machine.kept.read_text())["active"]
        return found

    machine.jupyter.running = ["long.ipynb"]
    machine.run()
    first = noted()
    until(lambda: noted() > first)


def test_hours_of_hibernation_are_hours_without_use(machine: Stopping) -> None:
    asleep = after_a_sleep(3 * 3600)
    machine.run(1)
    machine.end()
    assert machine.shown() is None
    machine.run(1, within=asleep)
    # Nobody could answer an earlier one: it is announced first, as ever.
    until(machine.shown)
    assert machine.done() == []


def test_a_machine_that_came_back_after_its_hours_says_so_and_stops(machine: Stopping) -> None:
    machine.told(idle_minutes=0, max_hours=1)
    machine.run()
    machine.end()
    path = machine.root / "var/lib/jupyter-clouds/autostop.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"begun": known["begun"] - 3600}))
    machine.boot("at night")
    machine.run()
    until(machine.is_off)
    assert machine.jupyter.notices


def test_its_memory_is_on_the_data_volume_if_there_is_one(machine: Stopping) -> None:
    volume = machine.root / "mnt/jupyter-clouds/clouds"
    volume.mkdir(parents=True)
    machine.run(1)
    assert (volume / "autostop.json").exists()


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"begun": 1}'])
def test_a_spoilt_memory_is_a_new_beginning(machine: Stopping, text: str) -> None:
    path = machine.root / "var/lib/jupyter-clouds/autostop.json"
    path.parent.mkdir()
    path.write_text(text)
    before = time.time()
    machine.run(1)
    assert began(machine) >= before
