"""JupyterLab as the machine runs it, its door to root's programs, and tabs that hear it."""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests
import websocket

from tests.machine_tree import lay_out, tell_jupyter
from tests.unit.conftest import free_port, mint, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "lusab-babad-gutih-tugad"

# A recorder whose subscription to its kernel comes late, as happens now and then, when told to.
DEAF = """
import zmq
from pathlib import Path
from tornado.ioloop import IOLoop

class LateKernelManager(KernelManager):
    def start_watching_activity(self, kernel_id):
        super().start_watching_activity(kernel_id)
        if Path(SETTINGS["work"], "late").exists():
            late = self.streams[kernel_id].socket
            late.setsockopt(zmq.UNSUBSCRIBE, b"")
            IOLoop.current().call_later(5, late.setsockopt, zmq.SUBSCRIBE, b"")

c.ServerApp.kernel_manager_class = LateKernelManager
"""


@dataclass
class Server:
    """JupyterLab as the machine runs it, and a person who is logged in."""

    root: Path
    url: str
    session: requests.Session

    @property
    def door(self) -> Path:
        return self.root / "door.sock"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def get(self, path: str) -> Any:
        answer = self.session.get(f"{self.url}/{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        headers = {"X-XSRFToken": self.session.cookies["_xsrf"]}
        answer = self.session.post(f"{self.url}/{path}", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def socket(self, path: str) -> websocket.WebSocket:
        cookie = "; ".join(f"{one.name}={one.value}" for one in self.session.cookies)
        url = f"{self.url.replace('https', 'wss')}/{path}"
        options = {"ca_certs": str(self.session.verify), "cert_reqs": ssl.CERT_REQUIRED}
        return websocket.create_connection(url, cookie=cookie, sslopt=options, timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("door")
    for folder in ("work", "state/tls"):
        (root / folder).mkdir(parents=True)
    certificate, _ = mint("127.0.0.1").write(root / "state/tls")
    port = free_port()
    tell_jupyter(root, port, PASSWORD, work=root / "work", state=root / "state")
    config = lay_out(root) / "jupyter/jupyter_server_config.py"
    with config.open("a") as file:
        file.write(DEAF)
    with (
        serving(
            root,
            port,
            *("-m", "jupyterlab", "--config", str(config), "--allow-root"),
            JUPYTER_CLOUDS_NOTEBOOK_JSON=str(root / "notebook.json"),
            JUPYTER_CLOUDS_DOOR=str(root / "door.sock"),
            JUPYTER_CLOUDS_AUTOSTOP=str(root / "autostop.sock"),
            JUPYTER_CLOUDS_LOGS=str(root / "logs.sock"),
        ),
        requests.Session() as session,
    ):
        session.trust_env = False
        session.verify = str(certificate)
        found = Server(root, f"https://127.0.0.1:{port}", session)
        session.get(f"{found.url}/login", timeout=10)
        form = {"password": PASSWORD, "_xsrf": session.cookies["_xsrf"]}
        session.post(f"{found.url}/login", form, timeout=20).raise_for_status()
        yield found


class Tab:
    """A tab that hears events, and answers a wish to save as it is told to."""

    def __init__(self, server: Server, *answers: dict[str, str], pause: float = 0) -> None:
        self.server, self.answers, self.pause = server, answers, pause
        self.socket = server.socket("api/events/subscribe")
        self.heard: list[dict[str, Any]] = []
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self) -> None:
        while True:
            try:
                event = json.loads(self.socket.recv())
            except (OSError, ValueError, websocket.WebSocketException):
                return
            if event["schema_id"] != "urn:jupyter-clouds:tabs:1":
                continue
            self.heard.append(event)
            if event["kind"] == "save" and self.answers:
                self.say(event, *({**one, "state": "saving"} for one in self.answers))
                time.sleep(self.pause)
                self.say(event, *self.answers)

    def say(self, event: dict[str, Any], *documents: dict[str, str]) -> None:
        body = {"id": event["id"], "tab": str(id(self)), "documents": documents}
        self.server.post("clouds/saved", body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.thread.join(10)


def run(server: Server, name: str, *codes: str) -> None:
    """A notebook with these cells, whose kernel was asked to run them by a tab that then left."""
    cells = [
        {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [], "source": code}
        | {"execution_count": None}
        for n, code in enumerate(codes)
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (server.work / name).write_text(json.dumps(notebook))
    body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    kernel = server.post("api/sessions", body)["kernel"]["id"]
    channels = server.socket(f"api/kernels/{kernel}/channels")
    for n, code in enumerate(codes):
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
        message: dict[str, Any] = {
            "header": header | {"session": "tab", "username": "", "date": ""}
        }
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        content["allow_stdin"] = True
        message |= {"parent_header": {}, "metadata": {"cellId": f"cell-{n}"}, "channel": "shell"}
        channels.send(json.dumps(message | {"content": content}))
    while "ready" not in channels.recv():
        pass
    channels.close()


def printed(server: Server, name: str) -> str:
    cells = json.loads((server.work / name).read_text())["cells"]
    return "".join("".join(one.get("text", "")) for cell in cells for one in cell["outputs"])
