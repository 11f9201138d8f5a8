"""The door into Jupyter: who may ask, what tabs hear, and what is on the disk afterwards."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests
import websocket

from tests.machine_tree import lay_out
from tests.unit.conftest import free_port, mint, serving
from tests.unit.doors import ask
from wrapper.monitor import program
from wrapper.password import hash_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "lusab-babad-gutih-tugad"
NOTICE = {"id": "1", "level": "warning", "text": "Gone at {time}", "time": "2026-11-23T10:11:12Z"}
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
    settings = {
        "port": port,
        "password_hash": hash_password(PASSWORD),
        "work": str(root / "work"),
        "state": str(root / "state"),
    }
    (root / "notebook.json").write_text(json.dumps(settings))
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


def test_only_root_and_the_servers_own_user_get_in(server: Server) -> None:
    assert stat.S_IMODE(server.door.stat().st_mode) == 0o600
    if os.geteuid():
        pytest.skip("another user is root's to be")
    # As if folder and socket were open to everybody: the kernel still says who asks.
    server.root.chmod(0o711)
    server.door.chmod(0o777)
    folder = os.open(server.root, os.O_PATH)
    text = json.dumps(NOTICE)
    words = f"POST /notice HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    # From root on, for the tests' Python may lie where only root gets.
    code = (
        "import os, socket\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        f"s.connect('/proc/self/fd/{folder}/door.sock')\n"
        f"try: s.sendall({words.encode()!r}); print(s.recv(100))\n"
        "except OSError: print(b'')"
    )
    said = subprocess.check_output([sys.executable, "-c", code], pass_fds=[folder])
    os.close(folder)
    server.door.chmod(0o600)
    server.root.chmod(0o700)
    assert said == b"b''\n"
    assert server.get("clouds/notice") == {"notice": None}


def test_a_notice_is_heard_by_tabs_and_known_to_later_ones(server: Server) -> None:
    assert server.get("clouds/notice") == {"notice": None}
    with Tab(server) as tab:
        assert ask(server.door, "POST", "/notice", NOTICE)[0] == 200
        deadline = time.monotonic() + 10
        while not tab.heard and time.monotonic() < deadline:
            time.sleep(0.05)
    assert tab.heard[0]["kind"] == "notice"
    assert server.get("clouds/notice") == {"notice": NOTICE}
    assert ask(server.door, "POST", "/notice", {})[0] == 200
    assert server.get("clouds/notice") == {"notice": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/notice", {"text": "x"}),
        ("/notice", NOTICE | {"level": "loud"}),
        ("/notice", NOTICE | {"text": 1}),
        ("/notice", [1]),
        ("/save", {"seconds": "x"}),
        ("/save", {"seconds": 3600}),
        ("/kernels", {}),
        ("/kernels", {"name": "../kernels-1.json"}),
    ],
)
def test_nonsense_is_refused(server: Server, path: str, body: object) -> None:
    assert ask(server.door, "POST", path, body)[0] == 400


def test_what_tabs_ask_needs_a_login(server: Server) -> None:
    for method in ("get", "post"):
        call = getattr(requests, method)
        url = f"{server.url}/clouds/{'notice' if method == 'get' else 'saved'}"
        assert call(url, verify=str(server.session.verify), timeout=10).status_code == 403


def test_without_kernels_or_tabs_there_is_nothing_to_save_or_list(server: Server) -> None:
    assert ask(server.door, "POST", "/save", {"seconds": 2}) == (200, {"tabs": 0, "documents": []})
    assert ask(server.door, "GET", "/kernels") == (200, {"kernels": []})
    answer = ask(server.door, "POST", "/kernels", {"name": "kernels-1.json"})
    assert answer == (200, {"kernels": 0, "file": None})
    assert not (server.work / ".clouds").exists()


def test_a_tab_that_saves_is_waited_for(server: Server) -> None:
    documents = [{"path": "a.ipynb", "state": "saved"}, {"path": "b.txt", "state": "failed"}]
    documents[1]["error"] = "no room"
    with Tab(server, *documents, pause=2.5), Tab(server, {"path": "b.txt", "state": "saved"}):
        _, answer = ask(server.door, "POST", "/save", {"seconds": 10})
    assert answer["tabs"] == 2
    assert sorted(answer["documents"], key=lambda one: str(one["path"])) == documents


def test_nobody_is_waited_for_who_has_answered_or_is_not_there(tmp_path: Path) -> None:
    """With a first word awaited for ever, it ends only because all who listen have spoken."""
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(lay_out(tmp_path) / "jupyter")!r})
from types import SimpleNamespace as Some
from jupyter_clouds_door import tabs
tabs.HELLO = 1000
logger = Some(_modified_listeners={{}}, register_event_schema=lambda _: None)
async def main():
    found = tabs.Tabs(Some(event_logger=logger))
    found.round = "1"
    logger._modified_listeners[tabs.SCHEMA_ID] = set()
    await asyncio.wait_for(found.wait(1000), 60)
    logger._modified_listeners[tabs.SCHEMA_ID] = {{"one", "other"}}
    waiting = asyncio.create_task(found.wait(1000))
    found.answer("1", "one", [{{"path": "a", "state": "saving"}}])
    found.answer("1", "other", [])
    await asyncio.sleep(0.2)
    assert not waiting.done()
    found.answer("1", "one", [{{"path": "a", "state": "saved"}}])
    await asyncio.wait_for(waiting, 60)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_before_files_are_changed_a_program_of_the_users_has_tabs_save(server: Server) -> None:
    saving = [sys.executable, "-I", "-", str(server.door)]
    with Tab(server, {"path": "a.txt", "state": "saved"}):
        said = subprocess.check_output([*saving, "10"], input=program.saving())
    assert json.loads(said) == {"tabs": 1, "documents": [{"path": "a.txt", "state": "saved"}]}
    saving[-1] += ".none"
    assert subprocess.check_output([*saving, "10"], input=program.saving()) == b""


def test_a_tab_that_says_no_more_is_not_waited_for_long(server: Server) -> None:
    with Tab(server, {"path": "a.ipynb", "state": "saved"}, pause=8):
        _, answer = ask(server.door, "POST", "/save", {"seconds": 2})
    assert answer["documents"] == [{"path": "a.ipynb", "state": "saving"}]


def test_what_a_cell_printed_is_in_the_file_at_once_and_the_kernel_is_listed(
    server: Server,
) -> None:
    sleep = "import time\nprint('ready', flush=True)\ntime.sleep(600)"
    run(server, "long.ipynb", "x = 1", sleep, "print('never')")

    _, answer = ask(server.door, "POST", "/save", {"seconds": 5})
    assert answer["documents"] == [{"path": "long.ipynb", "state": "saved"}]
    assert printed(server, "long.ipynb") == "ready\n"

    for number in range(12):
        name = f"kernels-2026112{number:02}.json"
        _, answer = ask(server.door, "POST", "/kernels", {"name": name})
    folder = server.work / ".clouds"
    assert answer == {"kernels": 1, "file": str(folder / name)}
    assert len(list(folder.glob("*.json"))) == 10
    assert (folder / ".gitignore").read_text() == "*\n"
    (kernel,) = json.loads((folder / name).read_text())
    assert kernel["notebooks"] == ["long.ipynb"]
    assert kernel["state"] == "busy"
    assert kernel["done"] == [{"cell": "cell-0", "code": "x = 1"}]
    assert kernel["running"] == [{"cell": "cell-1", "code": sleep}]
    assert kernel["waiting"] == [{"cell": "cell-2", "code": "print('never')"}]


def test_who_is_logged_in_learns_what_the_machine_has_and_does(server: Server) -> None:
    run(server, "slow.ipynb", "import time\nprint('ready', flush=True)\ntime.sleep(600)")
    run(server, "asks.ipynb", "print('ready', flush=True)\ninput()")
    run(server, "quick.ipynb", "print('ready', flush=True)")
    ask(server.door, "POST", "/notice", NOTICE)
    states: dict[str, str] = {}
    deadline = time.monotonic() + 20
    while (states.get("quick.ipynb"), states.get("asks.ipynb")) != ("idle", "waiting"):
        assert time.monotonic() < deadline, states
        found = server.get("clouds/resources")
        kernels = {one["notebooks"][0]: one for one in found["kernels"] if one["notebooks"]}
        states = {path: one["state"] for path, one in kernels.items()}
    ask(server.door, "POST", "/notice", {})
    assert states["slow.ipynb"] == "busy"
    assert 0 <= kernels["slow.ipynb"]["seconds"] < 60
    assert found["cpu"]["cores"] == os.cpu_count()
    assert 0 < found["cpu"]["used"] < found["cpu"]["total"]
    assert 0 < found["memory"]["available"] < found["memory"]["total"]
    assert found["disk"]["total"] == shutil.disk_usage(server.work).total
    assert found["notice"] == NOTICE
    assert found["autostop"] is None, "no watch runs beside this server"
    url = f"{server.url}/clouds/resources"
    assert requests.get(url, verify=str(server.session.verify), timeout=10).status_code == 403


def test_a_webhook_is_kept_for_its_owner_tried_and_forgotten(server: Server) -> None:
    file = server.root / "state/webhook"
    headers = {"X-XSRFToken": server.session.cookies["_xsrf"]}
    url = f"{server.url}/clouds/notify"

    def put(webhook: str) -> requests.Response:
        body = {"webhook": webhook}
        return server.session.put(url, json=body, headers=headers, timeout=10)

    assert server.get("clouds/notify") == {"host": None}
    for wrong in ("http://127.0.0.1/x", "https:///x", "https://h/a b", "https://h/" + 3000 * "x"):
        refused = put(wrong)
        assert refused.status_code == 400
        assert wrong not in refused.text
    assert not file.exists()
    # Nobody listens there: the test of it says so.
    assert put("https://127.0.0.1:1/services/secret\n").status_code == 204
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server.get("clouds/notify") == {"host": "127.0.0.1"}
    tried = server.post("clouds/notify", {})
    assert tried["ok"] == 0
    assert "cannot be reached" in tried["error"]
    assert requests.get(url, verify=str(server.session.verify), timeout=10).status_code == 403
    assert server.session.delete(url, headers=headers, timeout=10).status_code == 204
    assert server.get("clouds/notify") == {"host": None}
    assert not file.exists()


def test_what_a_kernel_says_first_is_recorded(server: Server) -> None:
    (server.work / "late").touch()
    run(server, "first.ipynb", "print('ready')")
    (server.work / "late").unlink()

    ask(server.door, "POST", "/save", {"seconds": 5})

    assert printed(server, "first.ipynb") == "ready\n"


def test_a_document_that_cannot_be_written_is_told(server: Server) -> None:
    run(server, "gone.ipynb", "print('ready')")
    (server.work / "gone.ipynb").unlink()

    _, answer = ask(server.door, "POST", "/save", {"seconds": 5})

    states = {one["path"]: one["state"] for one in answer["documents"]}
    assert states["gone.ipynb"] == "failed"


def test_the_machines_logs_are_for_who_is_logged_in(server: Server) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        server.get("clouds/logs")
    heard: list[bytes] = []
    text = "line\n" * 100_000  # more than a socket takes at once
    replies = [{"text": text, "cursor": "c"}, {"error": "no such phase"}]

    def answer(listening: socket.socket) -> None:
        for reply in replies:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(json.dumps(reply).encode())

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(server.root / "logs.sock"))
        listening.listen()
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        found = server.get("clouds/logs?phase=idle&lines=7&after=s%3D1")
        assert found == {"text": text, "cursor": "c"}
        with pytest.raises(requests.HTTPError, match="400"):
            server.get("clouds/logs?phase=none")
    assert json.loads(heard[0]) == {"phase": "idle", "lines": 7, "after": "s=1"}
    url = f"{server.url}/clouds/logs"
    assert requests.get(url, verify=str(server.session.verify), timeout=10).status_code == 403


def test_a_socket_of_an_earlier_server_is_in_nobodys_way(tmp_path: Path) -> None:
    # bind_unix_socket takes the place of a socket; of anything else it must not.
    path = tmp_path / "door.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    sys_path = lay_out(tmp_path) / "jupyter"
    code = (
        f"import sys; sys.path.insert(0, {str(sys_path)!r})\n"
        "import asyncio\nfrom jupyter_clouds_door import sockets\n"
        f"async def main(): sockets.listen({str(path)!r}, None, None)\nasyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
