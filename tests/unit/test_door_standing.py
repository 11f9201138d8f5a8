"""`open --background`: one door a deployment, found again, and ended."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import free_port
from tests.unit.told import ANSWERS
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.carrier import standing
from wrapper.carrier.standing import Standing
from wrapper.cli import main
from wrapper.deployment import opening
from wrapper.errors import FailedError
from wrapper.home import Home, Place, Record, root
from wrapper.local import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account

ROOT = Path(__file__).resolve().parents[2]
# A process that holds a door open, and answers as one does.
HOLDER = """
import signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from wrapper.carrier import standing

folder, port, deaf = Path(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3

class Closed(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(403)

def end(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else end)
with standing.claimed(folder, "moon"):
    server = HTTPServer(("127.0.0.1", port), Closed)
    standing.tell(folder, f"http://127.0.0.1:{port}/open/secret", port, "token")
    print("open", flush=True)
    server.serve_forever()
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Opens a door in a process of its own."""
    running: list[subprocess.Popen[str]] = []

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDER, folder, str(free_port()), *more],
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "stderr").open("w"),
            cwd=ROOT,
            text=True,
        )
        running.append(child)
        assert child.stdout
        assert child.stdout.readline() == "open\n"
        return child

    yield start
    for child in running:
        child.kill()
        child.wait()


def test_an_open_door_is_found_until_it_ends(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    assert standing.found(tmp_path) is None
    child = hold(tmp_path)
    door = standing.found(tmp_path)
    assert door
    assert door.pid == child.pid
    assert standing.answers(door)
    assert stat.S_IMODE((tmp_path / "door.json").stat().st_mode) == 0o600
    with pytest.raises(FailedError, match="is open"), standing.claimed(tmp_path, "moon"):
        pass
    assert standing.end(tmp_path)
    assert child.wait(5) != 0
    assert standing.found(tmp_path) is None
    assert not (tmp_path / "door.json").exists()
    assert not standing.end(tmp_path)


def test_a_door_that_was_killed_is_no_door_whoever_has_its_number_now(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    child = hold(tmp_path)
    child.kill()
    child.wait()
    known = json.loads((tmp_path / "door.json").read_text())
    (tmp_path / "door.json").write_text(json.dumps(known | {"pid": os.getpid()}))
    assert standing.found(tmp_path) is None
    assert not standing.end(tmp_path), "this test was ended for a door"


def test_a_door_that_ignores_its_end_is_killed(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "_ENDS_WITHIN", 0.2)
    child = hold(tmp_path, "deaf")
    assert standing.end(tmp_path)
    assert child.wait(5) == -9


def test_another_server_at_its_port_is_no_door(tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.handle_request).start()
        assert not standing.answers(Standing(1, server.server_port, str(tmp_path), ""))


@pytest.fixture
def moon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A deployment whose notebook would be found."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    home = Home(root({"XDG_DATA_HOME": str(tmp_path)}) / "moon")
    home.create()
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record("moon", place, key_sha256="a" * 64))
    monkeypatch.setattr(opening, "_find", lambda *_: None)
    return home


def test_the_second_open_shows_the_first_ones_link_and_stop_ends_it(
    moon: Home,
    hold: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        "webbrowser.open", lambda url: shown.append(Path(url.removeprefix("file://")).read_text())
    )
    child = hold(moon.path)
    door = standing.found(moon.path)
    assert door
    for more in ([], ["--background"], ["--port", str(door.port)]):
        assert main(["open", "moon", *more]) == 0
        assert capsys.readouterr().out == f"{door.url}\n"
    assert len(shown) == 3
    assert door.url in shown[0]
    assert main(["open", "moon", "--port", "9"]) == 1
    assert "open --stop" not in capsys.readouterr().err
    assert main(["open", "moon", "--no-browser", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pid"] == child.pid
    assert main(["open", "moon", "--stop"]) == 0
    child.wait(5)
    assert main(["open", "moon", "--stop"]) == 0
    assert "No door of moon is open." in capsys.readouterr().err


def test_status_shows_an_editors_address_while_the_door_is_open(
    moon: Home,
    hold: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = dataclasses.replace(ANSWERS["status"], name="moon", answers=True)
    monkeypatch.setattr(deployment, "status", lambda *_: seen, raising=False)
    assert main(["status", "moon"]) == 0
    assert "for editors   " in (said := capsys.readouterr().out)
    assert "open moon --editor" in said
    child = hold(moon.path)
    door = standing.found(moon.path)
    assert door
    assert main(["status", "moon"]) == 0
    assert f"http://127.0.0.1:{door.port}/?token={door.token}\n" in capsys.readouterr().out
    assert main(["status", "moon", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["door"]
    assert told == {"port": door.port, "pid": child.pid}, "without its token"


def test_what_ends_the_process_in_the_background_is_told(
    moon: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real process: it finds no embedded EC2 to ask."""
    begun = time.monotonic()
    assert main(["open", "moon", "--background", "--no-browser"]) == 1
    assert time.monotonic() - begun < opening._OPENS_WITHIN
    said = capsys.readouterr().err
    assert "error: The door of moon did not open: " in said
    assert "  → " in said
    assert stat.S_IMODE((moon.path / "door.log").stat().st_mode) == 0o600
    assert standing.found(moon.path) is None


def test_down_closes_the_door(
    tmp_path: Path, moon: Home, hold: Callable[..., subprocess.Popen[str]], account: Account
) -> None:
    class Off:
        def settled(self, **_: Any) -> Status:
            return Status(running=False)

        def clear(self) -> None:
            pass

    world = bare_world(tmp_path, account, StandIn(), [])
    world = dataclasses.replace(world, embedded=Off)  # type: ignore[arg-type] # as much as is asked
    child = hold(moon.path)
    deployment.down(world, "moon")
    assert child.wait(5) != 0
    assert sorted(one.name for one in moon.path.iterdir()) == ["deployment.json", "lock"]
