"""A machine that may stop by itself: its clock runs faster, and Jupyter is a stand-in."""

from __future__ import annotations

import http.server
import json
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.services_machine import Machine, until

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
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


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


def began(machine: Stopping) -> float:
    found: float = json.loads(machine.kept.read_text())["begun"]
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Stopping]:
    found = Stopping(tmp_path)
    yield found
    if found.process:
        found.end()
    found.jupyter.shutdown()
    found.jupyter.server_close()
