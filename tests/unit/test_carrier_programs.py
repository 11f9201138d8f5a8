"""Editors and other programs at the local door: its token instead of a browser's cookie."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
import websocket

from tests.unit.carrier_doors import Browser, Door, upstream
from tests.unit.conftest import free_port, mint, serving
from wrapper.carrier import Upstream
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter


@pytest.fixture
def program(jupyter: LiveJupyter) -> Iterator[Browser]:
    """It has been given no cookie, and sends no Origin."""
    door = Door(upstream(jupyter), lambda: upstream(jupyter))
    yield Browser(door)
    door.close()


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        pytest.param("?token={token}", {}, 200, id="in the address"),
        pytest.param("?a=1&token={token}&b=2", {}, 200, id="among others"),
        pytest.param("", {"Authorization": "token {token}"}, 200, id="Jupyter's header"),
        pytest.param("", {"Authorization": "Bearer {token}"}, 200, id="a bearer"),
        pytest.param("?token={token}", {"Host": "evil.example:{port}"}, 421, id="DNS rebinding"),
        pytest.param("?token={token}x", {}, 403, id="longer"),
        pytest.param("?token=", {}, 403, id="empty"),
        pytest.param("", {"Authorization": "Basic {token}"}, 403, id="another scheme"),
        pytest.param("", {"Authorization": "token \xe9"}, 403, id="no ASCII"),
        pytest.param("", {"Cookie": "clouds-door-{port}={token}"}, 403, id="as the cookie"),
    ],
)
def test_who_has_the_token_passes(
    query: str, headers: dict[str, str], status: int, program: Browser
) -> None:
    known = {"token": program.door.token, "port": program.door.port}
    given: Any = {key: value.format(**known) for key, value in headers.items()}
    path = f"/api/contents{query.format(**known)}"
    assert program.ask("GET", path, **given).status == status


@pytest.mark.parametrize(
    ("path", "passed"),
    [
        pytest.param("/lab?token={token}", "/lab", id="alone"),
        pytest.param("/lab?a=1&%74oken={token}", "/lab?a=1", id="spelt another way"),
        pytest.param("/lab?token={token}&a=%20&token={token}", "/lab?a=%20", id="twice"),
        pytest.param("/lab?tokens=1&a", "/lab?tokens=1&a", id="another parameter"),
    ],
)
def test_the_token_stays_at_the_door(path: str, passed: str, tmp_path: Path) -> None:
    heard: list[str] = []

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.extend([self.path, str(self.headers)])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    minted = mint("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*minted.write(tmp_path))
    with HTTPServer(("127.0.0.1", 0), Notebook) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        there = Upstream("127.0.0.1", server.server_port, trust_only(minted.certificate), {})
        door = Door(there, lambda: there)
        try:
            token = door.token
            shown = f"token {token}"
            answer = Browser(door).ask("GET", path.format(token=token), Authorization=shown)
        finally:
            door.close()
            server.shutdown()
    assert answer.status == 204
    assert heard[0] == passed
    assert token not in "".join(heard)


@pytest.fixture
def own_server(program: Browser, tmp_path: Path) -> Iterator[str]:
    """Where a Jupyter server of this computer answers, whose kernels run behind the door.

    jupyter_server/gateway: its settings have environment variables of these names.
    """
    port = free_port()
    with serving(
        tmp_path,
        port,
        *("-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"),
        "--LanguageServerManager.autodetect=False",
        JUPYTER_TOKEN="mine",
        JUPYTER_GATEWAY_URL=f"http://{program.host}",
        JUPYTER_GATEWAY_AUTH_TOKEN=program.door.token,
    ):
        yield f"127.0.0.1:{port}"


def test_a_jupyter_of_this_computer_has_its_kernels_there(
    program: Browser, own_server: str
) -> None:
    mine = {"Authorization": "token mine"}
    kernels = f"http://{own_server}/api/kernels"
    made = requests.post(kernels, json={}, headers=mine, timeout=60)
    assert made.status_code == 201, made.text
    kernel = made.json()["id"]
    try:
        there = program.ask("GET", "/api/kernels", Authorization=f"token {program.door.token}")
        assert kernel in [one["id"] for one in json.loads(there.body)]
        line = websocket.create_connection(
            f"ws://{own_server}/api/kernels/{kernel}/channels", header=mine, timeout=60
        )
        assert printed(line, "print(6 * 7)") == "42\n"
        line.close()
    finally:
        done = requests.delete(f"{kernels}/{kernel}", headers=mine, timeout=60)
    assert done.status_code == 204


def printed(line: websocket.WebSocket, code: str) -> str:
    """What a kernel prints for the code, asked over its channels."""
    header = {"msg_id": "1", "msg_type": "execute_request", "session": "1"}
    header |= {"username": "", "version": "5.3", "date": "2026-11-23T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    asked = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    line.send(json.dumps({**asked, "channel": "shell", "buffers": []}))
    while (told := json.loads(line.recv()))["header"]["msg_type"] != "stream":
        pass
    return str(told["content"]["text"])
