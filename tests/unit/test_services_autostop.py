"""The program that stops an unused machine: its clock runs so many times as fast, all else is real.

What counts as use is in test_services_activity.py; here it is what a stand-in for Jupyter says.
What outlives a boot is in test_services_boots.py.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.services_machine import until
from tests.unit.stopping import LOOKS, SPEED, Stopping, began, machine

__all__ = ["machine"]  # a fixture, for pytest to find here


def test_an_unused_machine_says_so_saves_and_stops(machine: Stopping) -> None:
    machine.run()
    until(machine.is_off)
    assert machine.done()[:2] == ["start jupyter-clouds-rescue@idle.service", "poweroff"]
    assert machine.console()[0] == "jupyter-clouds: autostop reason=idle"
    notice = machine.shown()
    assert notice
    assert notice["id"].startswith("autostop-idle-")
    assert notice["actions"] == [{"label": "Stay", "command": "jupyter-clouds:stay"}]
    # JupyterLab cuts a text at 140 characters.
    assert len(notice["text"].replace("{time}", "12:34:56 PM")) <= 140


def test_a_cell_that_runs_keeps_it_and_its_end_begins_the_window(machine: Stopping) -> None:
    machine.jupyter.running = ["long.ipynb"]
    machine.run()
    machine.looks()
    assert machine.done() == []
    found = machine.ask()
    assert found["busy"] == ["cell of long.ipynb"]
    assert found["idle_since"] is found["idle_stops_at"] is None
    # Whoever names a file writes to nobody's terminal with it.
    machine.jupyter.running = ["\x1b[2J.ipynb"]
    machine.looks(2)
    assert machine.ask()["busy"] == ["cell of ?[2J.ipynb"]
    machine.jupyter.running, machine.jupyter.quiet = [], 0.0
    # A short cell now and then is work, too, whether or not one is seen running.
    machine.looks()
    assert machine.done() == []
    assert machine.ask()["busy"] == []
    machine.jupyter.quiet = 9999
    until(machine.is_off)


def test_what_is_typed_in_a_terminal_keeps_it(machine: Stopping) -> None:
    terminal = machine.root / "dev/pts/0"
    terminal.touch()
    machine.run()
    for number in range(LOOKS):
        os.utime(terminal, (number, 0))
        machine.looks(1)
    assert machine.done() == []
    until(machine.is_off)


def test_a_jupyter_that_does_not_answer_may_be_at_work(machine: Stopping) -> None:
    machine.jupyter.status = 500
    machine.run()
    machine.looks()
    assert machine.done() == []
    assert machine.ask()["busy"] == ["Jupyter does not say"]
    machine.jupyter.status = 200
    until(machine.is_off)


def test_no_jupyter_is_no_work(machine: Stopping) -> None:
    machine.jupyter.shutdown()
    machine.jupyter.server_close()
    (machine.root / "run/jupyter.sock").unlink()
    machine.run()
    until(machine.is_off)


def test_stay_is_another_window(machine: Stopping) -> None:
    machine.run(SPEED / 8)
    until(machine.shown)
    first = machine.ask()
    found = machine.ask(do="stay")
    assert found["idle_stops_at"] > first["idle_stops_at"]
    until(lambda: machine.shown() is None)
    assert machine.done() == []
    until(machine.shown)
    until(machine.is_off)


def test_stay_while_all_is_being_saved_calls_it_off(machine: Stopping) -> None:
    saving, go = machine.root / "saving", machine.root / "go"
    machine.tool(
        "systemctl",
        f'case "$*" in *rescue*) touch {saving}; until [ -e {go} ]; do sleep 0.05; done;;'
        f" *) echo $1 >> {machine.root}/done;; esac",
    )
    machine.run(SPEED / 8)
    until(saving.exists)
    assert machine.ask(do="stay")["stopping"] == "idle"
    go.touch()
    line = "jupyter-clouds: autostop reason=idle called off"
    until(lambda: line in machine.console())
    assert machine.done() == []
    assert machine.ask()["stopping"] is None
    # Its own notice, and that of the rescue.
    until(lambda: {"gone": "idle-"} in machine.jupyter.notices)


def test_0_minutes_is_never(machine: Stopping) -> None:
    machine.told(idle_minutes=0, max_hours=0)
    machine.run(SPEED * 1000)
    machine.looks()
    assert machine.done() == []
    found = machine.ask()
    assert (found["idle_stops_at"], found["ends_at"]) == (None, None)


def test_its_hours_end_whatever_runs(machine: Stopping) -> None:
    machine.told(idle_minutes=45, max_hours=1)
    machine.jupyter.running = ["long.ipynb"]
    machine.run()
    until(machine.is_off)
    assert machine.done()[:2] == ["start jupyter-clouds-rescue@lifetime.service", "poweroff"]
    notice = machine.shown()
    assert notice
    assert notice["actions"][0]["command"] == "jupyter-clouds:extend"
    assert len(notice["text"].replace("{time}", "12:34:56 PM")) <= 140


def test_hours_can_be_added(machine: Stopping) -> None:
    machine.told(idle_minutes=0, max_hours=1)
    machine.run(SPEED / 4)
    until(machine.shown)
    first = machine.ask()
    found = machine.ask(do="extend", hours=1000)
    assert found["ends_at"] > first["ends_at"]
    until(lambda: machine.shown() is None)
    machine.looks(4)
    assert machine.done() == []
    # And taken away: what is over still begins with a notice.
    machine.jupyter.notices.clear()
    machine.ask(do="begin", max_hours=0.001)
    until(machine.shown)
    until(machine.is_off)


def test_what_is_told_to_a_running_machine_holds_until_terraform_says_something_else(
    machine: Stopping,
) -> None:
    machine.told(idle_minutes=45, max_hours=12)
    machine.run(1)
    machine.ask(do="set", idle_minutes=90, max_hours=24)
    machine.end()
    machine.boot("second")
    machine.run(1)
    found = machine.ask()
    assert (found["idle_minutes"], found["max_hours"]) == (90, 24)
    machine.end()
    machine.told(idle_minutes=45, max_hours=6)
    machine.run(1)
    found = machine.ask()
    assert (found["idle_minutes"], found["max_hours"]) == (45, 6)


@pytest.mark.parametrize(
    "words",
    [
        {"do": "extend"},
        {"do": "extend", "hours": -1},
        {"do": "extend", "hours": "1"},
        {"do": "extend", "hours": float("nan")},
        {"do": "extend", "hours": float("inf")},
        {"do": "extend", "hours": True},
        {"do": "extend", "hours": 9999},
        {"do": "set", "idle_minutes": -5},
        {"do": "set", "max_hours": [1]},
        {"do": "dance"},
        {"do": ["stay"]},
    ],
    ids=str,
)
def test_nonsense_is_refused_and_changes_nothing(machine: Stopping, words: dict[str, Any]) -> None:
    machine.told(idle_minutes=45, max_hours=12)
    machine.run(1)
    before = machine.ask()
    assert set(machine.ask(**words)) == {"error"}
    after = machine.ask()
    for known in (before, after):
        del known["idle_since"], known["idle_stops_at"]
    assert after == before


def test_no_hours_can_be_added_to_a_machine_without_an_end(machine: Stopping) -> None:
    machine.run(1)
    assert machine.ask(do="extend", hours=1) == {"error": "this machine has no end: max_hours is 0"}


def test_who_asks_and_says_nothing_keeps_nobody_waiting(machine: Stopping) -> None:
    machine.run(1)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for one in silent:
        one.connect(str(machine.socket))
    assert machine.ask()["idle_minutes"] == 45
    for one in silent:
        one.close()
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(machine.socket))
        other.sendall(b"no JSON\n")
        assert "error" in json.loads(other.makefile().read())


def test_nobody_else_is_answered(machine: Stopping) -> None:
    if os.geteuid():
        pytest.skip("another user is root's to be")
    machine.run(1)
    assert machine.socket.stat().st_mode & 0o777 == 0o660
    folder = os.open(machine.socket.parent, os.O_PATH)
    machine.socket.chmod(0o777)
    code = (
        "import os, socket\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        f"s.connect('/proc/self/fd/{folder}/autostop.sock')\n"
        "try: s.sendall(b'{}\\n'); print(s.recv(100))\n"
        "except OSError: print(b'')"
    )
    said = subprocess.check_output([sys.executable, "-c", code], pass_fds=[folder])
    os.close(folder)
    assert said == b"b''\n"
    assert machine.ask()["idle_minutes"] == 45


def test_a_watch_that_was_killed_goes_on_where_it_was(machine: Stopping) -> None:
    machine.told(idle_minutes=45, max_hours=12)
    machine.run(1)
    first, since = began(machine), machine.ask()["idle_since"]
    machine.end()
    machine.run(1)
    assert began(machine) == first
    assert machine.ask()["idle_since"] == since


def test_it_ends_when_it_is_told_to_and_not_at_its_next_look(machine: Stopping) -> None:
    # Its next look, and its next word to systemd, are hours away: the machine's end waits for it.
    machine.run(speed=0.001, WATCHDOG_USEC=f"{10**11}")
    machine.end(signal.SIGTERM)
    assert machine.process
    assert machine.process.returncode == 0


def test_a_shutdown_that_hangs_is_made_harder(machine: Stopping) -> None:
    path = machine.programs / "autostop.py"
    text = path.read_text()
    assert text.count("PATIENCE = 180") == 1
    path.write_text(text.replace("PATIENCE = 180", "PATIENCE = 1"))
    machine.run()
    until(lambda: "poweroff --force" in machine.done())


def test_systemd_hears_that_it_runs(machine: Stopping) -> None:
    address = str(machine.root / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(30)
        machine.run(1, NOTIFY_SOCKET=address, WATCHDOG_USEC="300000")
        heard = [systemd.recv(100) for _ in range(4)]
    assert heard == [b"READY=1", *[b"WATCHDOG=1"] * 3]


def test_it_is_small(machine: Stopping) -> None:
    machine.run()
    machine.looks(2)
    assert machine.process
    with open(f"/proc/{machine.process.pid}/status") as file:  # noqa: PTH123 - no file on a disk
        size = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    assert size < 25 * 1024
