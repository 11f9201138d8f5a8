"""What Jupyter says of its kernels' work, and what it passes on to the machine's watch."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.unit.door_server import PASSWORD, server
from tests.unit.doors import ask
from tests.unit.services_machine import until
from wrapper.certificate import fingerprints
from wrapper.errors import NoAnswerError
from wrapper.notebook import Autostop, Notebook, pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    import websocket

    from tests.unit.door_server import Server

__all__ = ["server"]  # a fixture, for pytest to find here

PEM = "state/tls/certificate.pem"
LONG = "import time\ntime.sleep(1000)"


def activity(server: Server) -> dict[str, Any]:
    status, found = ask(server.door, "GET", "/activity")
    assert status == 200
    return found


class Kernel:
    """A notebook's kernel, and a tab connected to it."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        (server.work / name).write_text(
            json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        self.id = server.post("api/sessions", body)["kernel"]["id"]
        self.tab: websocket.WebSocket = self.connect()

    def connect(self) -> websocket.WebSocket:
        return self.server.socket(f"api/kernels/{self.id}/channels?session_id={uuid.uuid4().hex}")

    def say(self, kind: str, channel: str, content: dict[str, Any]) -> str:
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": kind, "version": "5.3", "session": "tab"}
        message: dict[str, Any] = {
            "header": header | {"username": "", "date": ""},
            "parent_header": {},
        }
        message |= {"metadata": {}, "channel": channel, "content": content}
        self.tab.send(json.dumps(message))
        return number

    def run(self, code: str, *, silent: bool = False) -> str:
        content = {"code": code, "silent": silent, "store_history": True, "allow_stdin": True}
        return self.say("execute_request", "shell", content)

    def hear(self, kind: str) -> None:
        """Until it has said that."""
        while json.loads(self.tab.recv())["msg_type"] != kind:
            pass

    def end(self) -> None:
        self.tab.close()
        headers = {"X-XSRFToken": self.server.session.cookies["_xsrf"]}
        url = f"{self.server.url}/api/kernels/{self.id}"
        self.server.session.delete(url, headers=headers, timeout=30).raise_for_status()


@pytest.fixture
def kernel(server: Server) -> Iterator[Kernel]:
    found = Kernel(server, f"{uuid.uuid4().hex}.ipynb")
    yield found
    found.end()


def test_a_kernels_ports_are_not_of_those_that_anybody_is_given(server: Server) -> None:
    kernel = Kernel(server, "ports.ipynb")
    known = json.loads(next(server.root.rglob(f"kernel-{kernel.id}.json")).read_text())
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < given for name, port in known.items() if name.endswith("_port"))
    kernel.tab.close()


def test_a_cell_that_runs_is_work_with_the_tab_closed_too(
    server: Server,
    kernel: Kernel,
) -> None:
    assert activity(server)["running"] == []
    kernel.run(LONG)
    until(lambda: activity(server)["running"] == [kernel.name])
    kernel.tab.close()
    kernel.tab = kernel.connect()
    assert activity(server)["running"] == [kernel.name]


@pytest.mark.parametrize("closed", [False, True], ids=["tab open", "tab closed before"])
def test_a_cell_that_waits_for_input_is_no_work(
    server: Server,
    kernel: Kernel,
    *,
    closed: bool,
) -> None:
    kernel.run("import time\ntime.sleep(2)\nanswer = input('so? ')\ntime.sleep(1000)")
    until(lambda: activity(server)["running"] == [kernel.name])
    if closed:
        kernel.tab.close()
    else:
        kernel.hear("input_request")
    until(lambda: activity(server)["running"] == [])
    if closed:
        return
    # Whoever answers is there, and what comes then is work.
    kernel.say("input_reply", "stdin", {"value": "yes", "status": "ok"})
    until(lambda: activity(server)["running"] == [kernel.name])


def test_what_no_cell_asked_for_is_no_work(server: Server, kernel: Kernel) -> None:
    kernel.run("1 + 1")
    kernel.hear("execute_result")
    until(lambda: activity(server)["running"] == [])
    first = activity(server)["quiet"]
    # An inspector of variables, a status bar, a widget.
    kernel.run(LONG.replace("1000", "1"), silent=True)
    kernel.say("kernel_info_request", "shell", {})
    kernel.say("comm_info_request", "shell", {})
    server.get("api/status")
    server.get("api/kernels")
    kernel.hear("kernel_info_reply")
    found = activity(server)
    assert found["running"] == []
    # Longer by the second that the silent request took.
    assert found["quiet"] >= first + 1


def test_an_ended_kernels_cell_was_work(server: Server, kernel: Kernel) -> None:
    begun = time.monotonic()
    kernel.run(LONG)
    until(lambda: activity(server)["running"] == [kernel.name])
    kernel.server.post(f"api/kernels/{kernel.id}/restart", {})
    until(lambda: activity(server)["running"] == [])
    assert activity(server)["quiet"] < time.monotonic() - begun


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        words = json.loads(self.rfile.readline())
        known: Any = self.server
        known.heard.append(words)
        self.wfile.write(json.dumps(known.answer).encode())


@pytest.fixture
def watch(server: Server) -> Iterator[Any]:
    """The machine's watch, as far as Jupyter knows it."""
    with socketserver.UnixStreamServer(str(server.root / "autostop.sock"), _Handler) as found:
        known: Any = found
        known.heard, known.answer = [], {"idle_minutes": 45}
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        found.shutdown()
    (server.root / "autostop.sock").unlink()


def test_wishes_are_passed_on_to_the_watch(server: Server, watch: Any) -> None:
    assert server.get("clouds/autostop") == {"idle_minutes": 45}
    wish = {"do": "extend", "hours": 2}
    assert server.post("clouds/autostop", wish) == {"idle_minutes": 45}
    assert watch.heard == [{"do": "status"}, wish]
    watch.answer = {"error": "not a number"}
    with pytest.raises(requests.HTTPError, match="400"):
        server.post("clouds/autostop", wish)


def test_without_a_watch_that_is_said(server: Server) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        server.get("clouds/autostop")


def test_a_stranger_hears_and_wishes_nothing(server: Server, watch: Any) -> None:
    url = f"{server.url}/clouds/autostop"
    for call in (requests.get, requests.post):
        assert call(url, verify=str(server.session.verify), timeout=10).status_code == 403
    assert watch.heard == []


NOTICE = {"level": "warning", "text": "Gone at {time}"}


@pytest.mark.parametrize(
    ("notices", "shown"),
    [
        pytest.param(["autostop-idle-1"], "autostop-idle-1", id="nothing there"),
        pytest.param(["interruption-1", "autostop-idle-1"], "interruption-1", id="a worse one"),
        pytest.param(["autostop-idle-1", "autostop-lifetime-1"], "autostop-lifetime-1", id="ours"),
        pytest.param(["autostop-idle-1", "interruption-1"], "interruption-1", id="replaced"),
        pytest.param(["autostop-idle-1", "gone"], None, id="ours goes"),
        pytest.param(["interruption-1", "gone"], "interruption-1", id="another's stays"),
    ],
)
def test_the_watchs_notice_yields_to_another(
    server: Server,
    notices: list[str],
    shown: str | None,
) -> None:
    ask(server.door, "POST", "/notice", {})
    for name in notices:
        body: dict[str, Any] = {"id": name, "yields": name.startswith("autostop"), **NOTICE}
        body = {"gone": "autostop-"} if name == "gone" else body
        assert ask(server.door, "POST", "/notice", body)[0] == 200
    found = server.get("clouds/notice")["notice"]
    assert (found and found["id"]) == shown
    ask(server.door, "POST", "/notice", {})


def test_the_wrapper_understands_what_is_passed_on(server: Server, watch: Any) -> None:
    parts = urlsplit(server.url)
    host, port = str(parts.hostname), int(parts.port or 0)
    key = fingerprints(ssl.PEM_cert_to_DER_cert((server.root / PEM).read_text())).key_sha256
    known = {"idle_minutes": 45.0, "max_hours": 12.0, "began": "2026-11-23T08:00:00Z"}
    known |= {"ends_at": None, "idle_since": None, "idle_stops_at": None}
    pinned = pin(host, port, key_sha256=key)
    with Notebook(server.url, pinned, PASSWORD) as notebook:
        notebook.login()
        with pytest.raises(NoAnswerError, match="something else"):
            notebook.autostop()
        watch.answer = {**known, "busy": ["processor 93%"], "stopping": None}
        found = notebook.autostop({"do": "stay"})
        assert found == Autostop(**known, busy=("processor 93%",))  # type: ignore[arg-type] # of many types
        watch.answer |= {"last_ended": "2026-11-22T21:00:00Z"}
        told = notebook.autostop()
        assert told
        assert told.last_ended == "2026-11-22T21:00:00Z"
        watch.answer = {"error": "not a number"}
        with pytest.raises(NoAnswerError, match="400: not a number"):
            notebook.autostop({"do": "set", "max_hours": -1})
        watch.shutdown()
        watch.socket.close()
        assert notebook.autostop() is None
