"""Logins: several at once, a password half changed, and a notebook held on to without a network."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.carrier_doors import pinned
from tests.unit.fleet import launch
from tests.unit.worlds import Embedded, StandIn, bare_world
from wrapper.aws import account as aws_account
from wrapper.deployment import logging_in, reaching
from wrapper.deployment.events import Note, Warned
from wrapper.deployment.opening import _Finder
from wrapper.deployment.reaching import Line
from wrapper.deployment.world import Address
from wrapper.errors import LoginError, NoAnswerError, ThrottledError, UnreachableError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Notebook, Pin
from wrapper.password import hash_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.unit.conftest import LiveJupyter
    from wrapper.deployment.world import World

ANOTHER = "gutih-babad-lusab-tugad"


def test_logins_at_the_same_moment_all_get_in(machines_jupyter: LiveJupyter) -> None:
    live = machines_jupyter
    start = threading.Barrier(4)

    def log_in() -> int:
        with Notebook(live.url, pinned(live), live.password) as notebook:
            start.wait()
            notebook.login()
            return notebook.status().kernels

    with ThreadPoolExecutor(4) as pool:
        assert [one.result() for one in [pool.submit(log_in) for _ in range(4)]] == [0] * 4


def test_who_has_no_patience_is_told_how_long_to_wait(machines_jupyter: LiveJupyter) -> None:
    live = machines_jupyter
    with Notebook(live.url, pinned(live), "not-the-password") as notebook:
        with pytest.raises(LoginError, match="refuses the password"):
            notebook.login()
        with pytest.raises(ThrottledError, match=r"lets nobody log in .* for 1 s") as raised:
            notebook.login(patience=0)
    assert raised.value.seconds == 1


class Wire:
    """The way to a port of this computer, which can be cut: connections are refused then."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        """Nobody listens."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def mend(self) -> None:
        """As before, at the same port."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            # The embedded EC2 answers to its own Host alone.
            named = (f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self._to}".encode())
            for way in ((near, far, named), (far, near, (b"", b""))):
                threading.Thread(target=_carry, args=way, daemon=True).start()


def _carry(here: socket.socket, there: socket.socket, named: tuple[bytes, bytes]) -> None:
    with contextlib.suppress(OSError):
        while piece := here.recv(65536):
            there.sendall(piece.replace(*named) if named[0] else piece)
        there.shutdown(socket.SHUT_WR)


@dataclasses.dataclass
class Scene:
    world: World
    home: Home
    told: list[Any]
    wire: Wire


@pytest.fixture
def scene(
    tmp_path: Path, account: Account, ec2: EC2Client, name: str, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """A deployment whose notebook answers, and whose EC2 is at the end of a wire.

    The machine's own Jupyter where the test has one, and a plain one where it does not matter.
    """
    which = "machines_jupyter" if "machines_jupyter" in request.fixturenames else "jupyter"
    live, told = request.getfixturevalue(which), list[Any]()

    def speak(url: str, pin: Pin, password: str, **__: Any) -> Notebook:
        assert url.endswith(":9999/")
        return Notebook(live.url, pin, password)

    wire = Wire(int(account.endpoint.rpartition(":")[2]))
    way = account.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}"}
    folder = tmp_path / "here"
    folder.mkdir()
    world = dataclasses.replace(
        bare_world(folder, account, StandIn(), told),
        embedded=lambda: Embedded(way),  # type: ignore[arg-type, return-value] # as much as is asked
        pin=lambda *_, **__: pinned(live),
        notebook=speak,
    )
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password(live.password)
    home.write_variables({})
    outputs = {"instance_id": launch(ec2, name), "public_ip": "127.0.0.1"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record(name, place, outputs=outputs, key_sha256="a" * 64))
    yield Scene(world, home, told, wire)
    wire.cut()


def test_a_password_that_was_half_changed_is_found_and_kept(
    scene: Scene, machines_jupyter: LiveJupyter
) -> None:
    live, home = machines_jupyter, scene.home
    with Notebook(live.url, pinned(live), live.password) as notebook:
        notebook.login()
        home.write(logging_in.NEW, ANOTHER + "\n")
        notebook.set_password_hash(hash_password(ANOTHER))
    # Here `password --new` was killed.
    where = Address("127.0.0.1")
    with logging_in.logged_in(scene.world, home, where, pinned(live)) as notebook:
        assert notebook.status().kernels == 0
    assert home.password() == ANOTHER
    assert not (home.path / logging_in.NEW).exists()
    assert str(home.variables()["password_hash"]).startswith("argon2:")
    assert [one for one in scene.told if isinstance(one, Note)]


def test_a_password_that_never_reached_the_machine_changes_nothing(
    scene: Scene, jupyter: LiveJupyter
) -> None:
    home = scene.home
    home.write(logging_in.NEW, ANOTHER + "\n")
    logging_in.logged_in(scene.world, home, Address("127.0.0.1"), pinned(jupyter)).close()
    assert home.password() == jupyter.password


def test_a_line_outlasts_a_network_that_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_account, "_ATTEMPTS", 1)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            scene.wire.mend()

    asked: list[Notebook] = []

    def call(notebook: Notebook) -> int:
        asked.append(notebook)
        if len(asked) == 1:
            scene.wire.cut()
            raise NoAnswerError("Silence.")
        return notebook.status().kernels

    with Line(scene.world, scene.home.name) as line:
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=wait)
        monkeypatch.setattr(reaching, "time", clock)
        assert line.keep_asking(call) == 0
    assert len(asked) == 2, "while EC2 could not be asked, no notebook was"
    assert len(waited) == 3
    assert [one.text for one in scene.told if isinstance(one, Warned)] == ["Silence. Asking again."]


def test_a_line_that_never_was_is_given_up_when_patience_ends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_account, "_ATTEMPTS", 1)
    monkeypatch.setattr(reaching, "PATIENCE", 0.0)
    monkeypatch.setattr(reaching, "PAUSE", 0.0)
    with Line(scene.world, scene.home.name) as line:
        scene.wire.cut()
        with pytest.raises(UnreachableError, match="cannot be reached"):
            line.keep_asking(lambda notebook: notebook.status())
        scene.wire.mend()


def test_a_door_tries_a_refused_password_again_only_when_it_is_another(
    scene: Scene, machines_jupyter: LiveJupyter
) -> None:
    scene.home.write_password("not-the-password")
    find = _Finder(scene.world, scene.home.name, "a" * 64)
    for _ in range(3):
        with pytest.raises(LoginError):
            find()
    with Notebook(machines_jupyter.url, pinned(machines_jupyter), "no") as other:
        with pytest.raises(ThrottledError) as raised:
            other.login(patience=0)
        assert raised.value.seconds == 1, "one try of those three"
    scene.home.write_password(machines_jupyter.password)
    assert find().cookies
