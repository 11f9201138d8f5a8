"""A notebook verified while Terraform still works: what counts, and what is left for later."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.worlds import bare_world
from wrapper.deployment import early as room
from wrapper.deployment.early import Early
from wrapper.deployment.events import Checked, Note
from wrapper.deployment.progress import Meter
from wrapper.deployment.world import Address
from wrapper.errors import FingerprintError, LoginError, NoAnswerError
from wrapper.home import Home
from wrapper.notebook import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wrapper.deployment.events import Event

PIN = Pin("pem", "c" * 64, "k" * 64)
WHERE = Address("198.51.100.1")


@dataclass
class Notebook:
    """Answers as the test lets it; each call is counted, and waited for by the test."""

    failures: list[Exception]
    """Of connections, one after another; then they succeed."""
    login_fails: Exception | None = None
    calls: list[str] = field(default_factory=list)
    called: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_compute: threading.Event = field(default_factory=threading.Event)

    def pin(self, host: str, *_: Any, **__: Any) -> Pin:
        self._call(f"pin {host}")
        if self.failures:
            raise self.failures.pop(0)
        return PIN

    def login(self) -> None:
        self._call("login")
        if self.login_fails:
            raise self.login_fails

    def run_cell(self, code: str) -> str:
        self._call("cell")
        assert self.may_compute.wait(60)
        left, right = code.removeprefix("print(").removesuffix(")").split("*")
        return f"{int(left) * int(right)}\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def _call(self, what: str) -> None:
        self.calls.append(what)
        self.called.release()


@dataclass
class Scene:
    """One `up` whose Terraform works as long as the block lasts."""

    tmp_path: Path
    notebook: Notebook
    console: dict[str, Any]
    early: Early = field(default_factory=Early)
    told: list[Event] = field(default_factory=list)
    addresses: list[str] = field(default_factory=lambda: [WHERE.host])
    """Of the machine, one for each time that EC2 is asked; the last one stays."""
    asked: int = 0
    """How often it was."""

    def __post_init__(self) -> None:
        self.meter = Meter(self.told.append)

    def in_background(self) -> AbstractContextManager[None]:
        none: Any = None
        world = bare_world(self.tmp_path, none, none, self.told)
        given: Any = {"pin": self.notebook.pin, "notebook": lambda *_, **__: self.notebook}
        world = replace(world, **given)
        home = Home(self.tmp_path / "it")
        home.create()
        home.write_password("it is a secret")
        aws: Any = SimpleNamespace(instance=self._instance)
        watch: Any = SimpleNamespace(**self.console)
        return self.early.in_background(world, home, aws, watch, self.meter)

    def _instance(self, _: str) -> Any:
        self.asked += 1
        return SimpleNamespace(public_ip=self.addresses[min(self.asked, len(self.addresses)) - 1])

    def wait_for(self, calls: int) -> None:
        for _ in range(calls):
            assert self.notebook.called.acquire(timeout=60)

    @property
    def checks(self) -> list[str]:
        return [event.name for event in self.told if isinstance(event, Checked)]


BOOTED = {
    "instance_id": "i-1",
    "boot": SimpleNamespace(fingerprint=SimpleNamespace(key_sha256=PIN.key_sha256)),
}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(room, "EVERY", 0.01)
    found = Scene(tmp_path, Notebook([]), dict(BOOTED))
    yield found
    found.notebook.may_compute.set()


def test_what_answers_while_terraform_works_is_verified_and_told(scene: Scene) -> None:
    scene.notebook.failures = [NoAnswerError("not yet"), NoAnswerError("not yet")]
    scene.notebook.may_compute.set()
    with scene.in_background():
        scene.wait_for(5)
    assert scene.notebook.calls == [*["pin 198.51.100.1"] * 3, "login", "cell"]
    assert scene.checks == ["fingerprint", "TLS", "login", "kernel"]
    assert [one.text for one in scene.told if isinstance(one, Note)] == [
        "It answers at https://198.51.100.1:9999/, and Terraform goes on."
    ]
    assert "answering" in scene.meter.seconds
    assert scene.early.pin("i-1", WHERE) == PIN


def test_ec2_is_not_asked_at_each_knock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ASK_EVERY", 3600.0)
    scene.notebook.failures = [NoAnswerError("not yet")] * 20
    scene.notebook.may_compute.set()
    with scene.in_background():
        scene.wait_for(23)
    assert scene.asked == 1
    assert scene.early.pin("i-1", WHERE) == PIN


def test_an_address_that_comes_later_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ASK_EVERY", 0.0)
    scene.addresses = ["198.51.100.9", WHERE.host]
    scene.notebook.failures = [NoAnswerError("nobody there")]
    scene.notebook.may_compute.set()
    with scene.in_background():
        scene.wait_for(4)
    assert scene.notebook.calls[:2] == ["pin 198.51.100.9", "pin 198.51.100.1"]
    assert scene.early.pin("i-1", WHERE) == PIN


def test_it_counts_for_that_machine_at_that_address_only(scene: Scene) -> None:
    scene.notebook.may_compute.set()
    with scene.in_background():
        scene.wait_for(3)
    assert scene.early.pin("i-2", WHERE) is None
    assert scene.early.pin("i-1", Address("198.51.100.2")) is None


def test_a_cell_that_runs_when_terraform_ends_is_waited_for(scene: Scene) -> None:
    with scene.in_background():
        scene.wait_for(3)
        threading.Timer(0.2, scene.notebook.may_compute.set).start()
    assert scene.early.pin("i-1", WHERE) == PIN


def test_nothing_is_told_after_terraform_has_failed(scene: Scene) -> None:
    def interrupted() -> None:
        with scene.in_background():
            scene.wait_for(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    scene.notebook.may_compute.set()
    for thread in threading.enumerate():
        if thread.name == "early":
            thread.join(60)
    assert scene.told == []
    assert scene.early.pin("i-1", WHERE) is None


@pytest.mark.parametrize(
    ("failures", "login_fails", "calls"),
    [
        pytest.param([], LoginError("refused"), 2, id="login, which each try makes slower"),
        pytest.param([FingerprintError("whose?")], None, 1, id="another's key"),
    ],
)
def test_what_fails_for_good_is_not_tried_again_and_left_to_be_told_later(
    scene: Scene, failures: list[Exception], login_fails: Exception | None, calls: int
) -> None:
    scene.notebook.failures, scene.notebook.login_fails = failures, login_fails
    with scene.in_background():
        scene.wait_for(calls)
        for thread in threading.enumerate():
            if thread.name == "early":
                thread.join(60)
    assert len(scene.notebook.calls) == calls
    assert scene.told == []
    assert scene.early.pin("i-1", WHERE) is None


@pytest.mark.parametrize(
    "console",
    [
        pytest.param({"instance_id": None, "boot": None}, id="no machine yet"),
        pytest.param({"instance_id": "i-1", "boot": None}, id="nothing on its console"),
        pytest.param(BOOTED | {"boot": SimpleNamespace(fingerprint=None)}, id="no fingerprint"),
    ],
)
def test_nobody_is_asked_before_the_console_names_the_key(
    scene: Scene, console: dict[str, Any]
) -> None:
    scene.console = console
    with scene.in_background():
        assert not scene.notebook.called.acquire(timeout=0.3)
    assert scene.notebook.calls == []
