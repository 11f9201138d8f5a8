"""The watch and what runs unattended: it starts that, counts it as work, and stops the machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.services_machine import Machine, until
from tests.unit.stopping import LOOKS, SPEED, Stopping, machine

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["machine"]  # a fixture, for pytest to find here

RUN = "20261123-161712-train"
START = f"start jupyter-clouds-run@{RUN}.service"
NEVER = {"idle_minutes": 0.0, "max_hours": 0.0}


def going(machine: Machine) -> Path:
    """What systemd keeps for as long as the run's unit is active."""
    folder = machine.root / "run/jupyter-clouds/runs" / RUN
    folder.mkdir(parents=True)
    return folder


def test_a_run_keeps_the_machine_whether_it_computes_or_sleeps(machine: Stopping) -> None:
    folder = going(machine)
    machine.run()
    machine.looks(LOOKS)
    assert machine.done() == []
    assert machine.ask()["busy"] == [f"run {RUN}"]
    folder.rmdir()
    until(machine.is_off)


def test_it_is_started_by_its_name_alone(machine: Stopping) -> None:
    machine.told(**NEVER)
    machine.run()
    folder = going(machine)
    assert machine.ask(do="run", name=RUN, stop=False)["busy"] == [f"run {RUN}"]
    assert machine.done() == [START]
    folder.rmdir()
    machine.looks(2)
    assert machine.done() == [START]


def test_what_is_no_name_of_a_run_starts_nothing(machine: Stopping) -> None:
    machine.told(**NEVER)
    machine.run()
    for name in (None, "", 7, "../x", "x", f"{RUN}.service", f"{RUN} b", "20261123-161712--rf"):
        assert "no name of a run" in machine.ask(do="run", name=name, stop=True)["error"], name
    assert machine.done() == []
    assert machine.ask()["run_stops"] is False


def test_what_systemd_does_not_start_is_told(machine: Stopping) -> None:
    machine.tool("systemctl", "echo Unit not found. >&2; exit 5")
    machine.told(**NEVER)
    machine.run()
    assert machine.ask(do="run", name=RUN, stop=True)["error"].endswith("Unit not found.")
    assert machine.ask()["run_stops"] is False


def test_a_machine_with_sudo_has_it_in_runs_too(machine: Stopping) -> None:
    drop_in = machine.root / "run/systemd/system/jupyter-clouds-run@.service.d/sudo.conf"
    machine.told(**NEVER, sudo=True)
    machine.run()
    machine.ask(do="run", name=RUN)
    assert "NoNewPrivileges=no" in drop_in.read_text()
    assert machine.done() == ["daemon-reload", START]


def test_a_run_that_was_to_be_the_last_one_is(machine: Stopping) -> None:
    machine.told(**NEVER)
    machine.run()
    folder = going(machine)
    machine.ask(do="run", name=RUN, stop=True)
    machine.looks(3)
    assert machine.done() == [START]
    folder.rmdir()
    until(machine.is_off)
    assert machine.done()[1:3] == ["start jupyter-clouds-rescue@run.service", "poweroff"]
    assert machine.console()[0] == "jupyter-clouds: autostop reason=run"
    notice = machine.shown()
    assert notice
    assert notice["id"].startswith("autostop-run-")
    assert notice["actions"] == [{"label": "Stay", "command": "jupyter-clouds:stay"}]
    assert len(notice["text"].replace("{time}", "12:34:56 PM")) <= 140


def test_it_waits_for_others_at_work_and_for_who_fetches(machine: Stopping) -> None:
    machine.told(**NEVER)
    machine.run(SPEED / 20)
    machine.jupyter.running = ["long.ipynb"]
    machine.ask(do="run", name=RUN, stop=True)
    machine.looks(3)
    assert machine.done() == [START]
    machine.jupyter.running = []
    # Somebody fetches: told again and again, for longer than it would wait.
    before = machine.jupyter.looks
    until(lambda: machine.ask(do="hold") and machine.jupyter.looks >= before + 3)
    assert machine.done() == [START]
    until(machine.is_off)


@pytest.mark.parametrize(
    "wish", [{"do": "stay"}, {"do": "run", "name": RUN}], ids=["stays", "runs more"]
)
def test_who_stays_calls_it_off(machine: Stopping, wish: dict[str, str]) -> None:
    machine.told(**NEVER)
    machine.run(SPEED / 20)
    machine.ask(do="run", name=RUN, stop=True)
    until(machine.shown)
    assert machine.ask(**wish)["run_stops"] is False
    machine.looks(3)
    assert "poweroff" not in machine.done()


def test_a_watch_that_was_killed_still_knows_of_it(machine: Stopping) -> None:
    machine.told(**NEVER)
    machine.run()
    folder = going(machine)
    machine.ask(do="run", name=RUN, stop=True)
    machine.end()
    machine.run()
    assert machine.ask()["run_stops"] is True
    folder.rmdir()
    until(machine.is_off)


def test_an_interruption_tells_of_runs(machine: Stopping) -> None:
    going(machine)
    machine.rescue()
    assert f"jupyter-clouds: rescue runs={RUN}" in machine.console()
    report = json.loads((machine.root / "var/lib/jupyter-clouds/rescue.json").read_text())
    assert report["runs"] == [RUN]
