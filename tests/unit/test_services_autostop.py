"""The program that stops an unused machine: its clock runs so many times as fast, all else is real.

What counts as use is in test_services_activity.py; here it is what a stand-in for Jupyter says.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.services_machine import Machine, after_a_sleep, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPEED = 1800
"""Times as fast: 45 minutes in 1.5 s."""
LOOKS = 8
"""So many looks are longer than any window here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Jupyter

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def address_string(self) -> str:
        return "unix"

    def answer(self, body: object) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        self.server.looks += 1
        self.answer({"running": self.server.running, "quiet": self.server.quiet})

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.notices.append(json.loads(self.rfile.read(length)))
        self.answer({})


class Jupyter(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """As much of the door as is asked for."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.running: list[str] = []
        self.quiet: float | None = None
        self.looks, self.status = 0, 200
        self.notices: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Stopping(Machine):
    """A machine whose systemctl notes what it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        for folder in ("etc/jupyter-clouds", "proc/sys/kernel/random", "dev/pts", "var/lib"):
            (root / folder).mkdir(parents=True)
        (root / "run/jupyter-clouds").mkdir()
        (root / "etc/machine-id").write_text("here\n")
        self.jobs = root / "jobs"
        self.jobs.touch()
        self.tool(
            "systemctl",
            f'case $1 in list-jobs) cat {self.jobs};; *) echo "$*" >> {root}/done;; esac',
        )
        self.boot("first")
        self.told(idle_minutes=45, max_hours=0)
        self.jupyter = Jupyter(root / "run/jupyter.sock")
        self.process: subprocess.Popen[str] | None = None

    def boot(self, name: str) -> None:
        """It is another boot."""
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{name}\n")
        shutil.rmtree(self.root / "run/jupyter-clouds")
        (self.root / "run/jupyter-clouds").mkdir()
        (self.root / "done").unlink(missing_ok=True)
        self.jobs.write_text("")

    def told(self, **settings: float) -> None:
        """What Terraform gave it."""
        (self.root / "etc/jupyter-clouds/machine.json").write_text(json.dumps(settings))

    def run(self, speed: float = SPEED, within: tuple[str, ...] = (), **environment: str) -> None:
        self.process = subprocess.Popen(
            [*within, sys.executable, "-Bu", self.programs / "autostop.py"],
            env={**self.environment(), "CLOUDS_CLOCK_SPEED": f"{speed}", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(self.answers)

    def answers(self) -> bool:
        """Whether it listens; the socket of one before may lie there."""
        try:
            return bool(self.ask())
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def end(self, by: signal.Signals = signal.SIGKILL) -> str:
        """What it had printed."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.communicate(timeout=60)[0]

    @property
    def socket(self) -> Path:
        return self.root / "run/jupyter-clouds/autostop.sock"

    def ask(self, **words: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.socket))
            connection.sendall(json.dumps(words).encode() + b"\n")
            found: dict[str, Any] = json.loads(connection.makefile().read())
            return found

    def done(self) -> list[str]:
        path = self.root / "done"
        return path.read_text().splitlines() if path.exists() else []

    def is_off(self) -> bool:
        return "poweroff" in self.done()

    def phase(self, state: str) -> None:
        """A phase of the boot is in that state."""
        phases = {"conda": {"state": state}}
        path = self.root / "run/jupyter-clouds/status.json"
        path.write_text(json.dumps({"phases": phases}))

    @property
    def kept(self) -> Path:
        """What outlives the boot."""
        return self.root / "var/lib/jupyter-clouds/autostop.json"

    def hours_later(self, hours: float) -> None:
        """What it remembers of its last use is so much older."""
        known = json.loads(self.kept.read_text())
        self.kept.write_text(json.dumps({**known, "active": known["active"] - hours * 3600}))

    def looks(self, number: int = LOOKS) -> None:
        """It has looked so many times more."""
        before = self.jupyter.looks
        until(lambda: self.jupyter.looks >= before + number)

    def shown(self) -> dict[str, Any] | None:
        """What JupyterLab shows."""
        last = self.jupyter.notices[-1] if self.jupyter.notices else {"gone": ""}
        return None if "gone" in last else last


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Stopping]:
    found = Stopping(tmp_path)
    yield found
    if found.process:
        found.end()
    found.jupyter.shutdown()
    found.jupyter.server_close()


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


def began(machine: Stopping) -> float:
    found: float = json.loads(machine.kept.read_text())["begun"]
    return found


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
