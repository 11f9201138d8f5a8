"""What the machine sends to a webhook: once, over TLS that it verifies, and in time."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import mint
from tests.unit.services_machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.conftest import Minted

SECRET = "/services/T000/secret"


class Hook(http.server.ThreadingHTTPServer):
    """A service that is told something, over TLS."""

    daemon_threads = True

    def __init__(self, minted: Minted, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        certificate, key = minted.write(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.certificate = certificate
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.server_port}{SECRET}"

    def handle_error(self, *_: object) -> None:
        """A client that does not trust it hangs up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hook

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, body))
        self.send_response(self.server.status)
        self.send_header("Location", "https://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    folder = tmp_path / "hook"
    folder.mkdir()
    with Hook(mint("127.0.0.1"), folder) as found:
        yield found
        found.shutdown()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def send(machine: Machine, url: str | None, trusted: Path | None = None) -> tuple[int, Any, str]:
    """Exit code, what it says, and all that it printed."""
    file = machine.root / "webhook"
    if url is not None:
        file.write_text(url)
    environment = {"CLOUDS_WEBHOOK": str(file)}
    if trusted:
        environment["SSL_CERT_FILE"] = str(trusted)
    done = subprocess.run(
        [sys.executable, "-IB", machine.programs / "notify.py", "idle", "It stops."],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


def test_a_message_says_what_happened_where(machine: Machine, hook: Hook) -> None:
    code, said, _ = send(machine, hook.url, hook.certificate)
    assert (code, said) == (0, {"ok": 1, "status": 200})
    ((path, body),) = hook.heard
    assert path == SECRET
    assert body.pop("time")
    name = os.uname().nodename
    words = f"{name}: It stops."
    assert body == {"text": words, "content": words, "event": "idle", "name": name}


def test_without_a_webhook_nobody_is_told(machine: Machine) -> None:
    assert send(machine, None)[:2] == (0, {"ok": 0, "note": "no webhook"})


@pytest.mark.parametrize(
    ("status", "error"), [(404, "answers 404"), (500, "answers 500"), (302, "answers 302")]
)
def test_what_is_not_taken_is_told_without_the_address(
    machine: Machine, hook: Hook, status: int, error: str
) -> None:
    hook.status = status
    code, said, printed = send(machine, hook.url, hook.certificate)
    assert code == 1
    assert error in said["error"]
    assert "secret" not in printed
    assert len(hook.heard) == 1, "told once"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://127.0.0.1:1/services/secret", "refused"),
        ("http://127.0.0.1:1/services/secret", "no https://"),
        ("https://nowhere.invalid/services/secret", "cannot be reached"),
    ],
    ids=["closed", "plain", "no such name"],
)
def test_what_is_not_there_is_told_without_the_address(
    machine: Machine, url: str, error: str
) -> None:
    code, said, printed = send(machine, url)
    assert code == 1
    assert error in said["error"]
    assert "secret" not in printed


def test_a_server_that_nobody_vouches_for_is_told_nothing(machine: Machine, hook: Hook) -> None:
    code, said, _ = send(machine, hook.url)
    assert code == 1
    assert "cert" in said["error"].lower()
    assert hook.heard == []


def test_a_webhook_that_hangs_costs_the_rescue_only_its_step(machine: Machine) -> None:
    machine.limit("notify", 2)
    program = machine.programs / "notify.py"
    program.write_text("import time\ntime.sleep(60)\n")
    code, _ = machine.rescue("idle")
    report = machine.report()["steps"]
    assert code == 1
    assert report["notify"]["error"] == "not done in time"
    assert report["sync"]["ok"] == 1


@pytest.mark.parametrize(
    ("reason", "given", "words"),
    [
        ("interruption", {"action": "stop", "time": "2020-01-01T00:00:00Z"}, "at 2020-01-01 00:"),
        ("interruption", {"action": "terminate"}, "takes this spot machine away. "),
        ("interruption", {"action": "hibernate"}, "hibernates"),
        ("idle", {}, "Nothing has run here"),
        ("lifetime", {}, "hours of this machine are over"),
        ("by-hand", {}, None),
    ],
)
def test_each_reason_is_told_in_its_own_words(
    machine: Machine, reason: str, given: dict[str, str], words: str | None
) -> None:
    heard = machine.root / "heard"
    program = machine.programs / "notify.py"
    program.write_text(
        "import json, os, pathlib, sys\n"
        f"pathlib.Path({str(heard)!r}).write_text(json.dumps(sys.argv[1:]))\n"
        "print(json.dumps({'ok': 1, 'file': os.environ['CLOUDS_WEBHOOK']}))\n"
    )
    machine.notice(**given)
    machine.rescue(reason)
    step = machine.report()["steps"]["notify"]
    if words is None:
        assert not heard.exists()
        assert step["note"] == "nobody is told of a by-hand"
        return
    event, text = json.loads(heard.read_text())
    assert event == reason
    assert words in text
    assert step["file"] == str(machine.root / "var/lib/jupyter-clouds/notebook/webhook")


def test_the_program_can_be_run(machine: Machine) -> None:
    assert stat.S_IMODE((machine.programs / "notify.py").stat().st_mode) & 0o100
