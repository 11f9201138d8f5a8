"""The door into Jupyter: who may ask, what tabs hear, and what is on the disk afterwards."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from tests.machine_tree import lay_out
from tests.unit.door_server import Server, Tab, printed, run, server
from tests.unit.doors import ask
from wrapper.monitor import program

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["server"]  # a fixture, for pytest to find here

NOTICE = {"id": "1", "level": "warning", "text": "Gone at {time}", "time": "2026-11-23T10:11:12Z"}


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
