"""When a machine stops by itself: who is told what, and when nobody is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.told import AUTOSTOP
from wrapper import journal
from wrapper.deployment import autostop, place
from wrapper.deployment.autostop import Before
from wrapper.deployment.events import Warned
from wrapper.errors import (
    FailedError,
    LockedError,
    NoAnswerError,
    SettingsError,
    UnansweredError,
    UnknownDeploymentError,
    UsageError,
)
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.notebook import Autostop

RECORD = Record(
    name="gpu",
    place=Place("local", "us-east-1", ""),
    outputs={"instance_id": "i-1", "public_ip": "198.18.0.1"},
    key_sha256="cd" * 32,
)


class Notebook:
    """Remembers what it was told."""

    def __init__(self, answer: Autostop | Exception | None = AUTOSTOP) -> None:
        self.answer = answer
        self.told: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def login(self) -> None:
        """Let in."""

    def autostop(self, wish: Any = None) -> Autostop | None:
        """What is known."""
        self.told.append(wish)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Scene:
    """A deployment with a machine in that state."""

    def __init__(self, folder: Path, notebook: Notebook, state: str | None = "running") -> None:
        self.notebook = notebook
        self.events: list[Any] = []
        self.questions: list[str] = []
        self.agreed = True
        self.world: Any = SimpleNamespace(
            environment={"XDG_DATA_HOME": str(folder), "HOME": str(folder)},
            look_whose=lambda *_: None,
            speak=lambda *_, **__: notebook,
            report=self.events.append,
            confirm=self.confirm,
        )
        self.home = Home(root(self.world.environment) / "gpu")
        self.home.create()
        self.home.write_password("lusab-babad-gutih-tugad")
        self.home.remember(RECORD)
        facts = {
            "state": state,
            "public_ip": "198.18.0.1",
            "instance_id": "i-1",
            "instance_type": "t3.large",
            "zone": "us-east-1a",
            "market": "on-demand",
            "stopped_at": None,
            "state_reason": None,
            "launched_at": datetime(2026, 11, 23, 10, tzinfo=UTC),
        }
        found = SimpleNamespace(**facts) if state else None
        self.scheduled: list[str] = []
        aws = SimpleNamespace(
            instance=lambda _: found,
            put_schedule=lambda *given: self.scheduled.append(f"{given[2]} {given[3]:%d %H:%M}"),
            remove_schedule=lambda _: self.scheduled.append("none"),
        )
        self.way: Any = SimpleNamespace(aws=aws)

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.agreed

    def settle(self, before: Record | None, *, rested: bool = False, **settings: float) -> None:
        """After an `up` that was asked for these."""
        self.home.remember(replace(RECORD, settings=settings))
        was = Before(before, rested=rested)
        autostop.settle(self.world, self.home, self.way, was)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    found = Scene(tmp_path, Notebook())
    monkeypatch.setattr(place, "back_to", lambda *_: found.way)
    return found


def test_a_started_machine_counts_anew_by_what_was_asked_for(scene: Scene) -> None:
    scene.settle(RECORD, rested=True, max_hours=5)
    assert scene.notebook.told == [{"do": "begin", "max_hours": 5}]
    assert scene.scheduled == ["stop 23 23:00"], "three hours after what the machine says"


def test_a_running_machine_is_told_of_what_changed(scene: Scene) -> None:
    before = replace(RECORD, settings={"max_hours": 5, "idle_minutes": 45})
    scene.settle(before, max_hours=8, idle_minutes=45)
    assert scene.notebook.told == [{"do": "set", "max_hours": 8, "idle_minutes": 45}]


@pytest.mark.parametrize(
    ("before", "settings"),
    [
        pytest.param(RECORD, {}, id="nothing was said"),
        pytest.param(replace(RECORD, settings={"max_hours": 5}), {"max_hours": 5}, id="as before"),
        pytest.param(None, {"max_hours": 5}, id="it was made just now"),
        pytest.param(
            replace(RECORD, outputs={"instance_id": "i-0"}), {"max_hours": 5}, id="another one"
        ),
    ],
)
def test_nobody_is_asked_where_nothing_changed(
    scene: Scene, before: Record | None, settings: dict[str, Any]
) -> None:
    scene.settle(before, **settings)
    assert scene.notebook.told == []


@pytest.mark.parametrize(
    ("settings", "scheduled"),
    [({}, ["stop 24 01:00"]), ({"max_hours": 5}, ["stop 23 18:00"]), ({"max_hours": 0}, [])],
    ids=str,
)
def test_a_new_machine_has_a_schedule_behind_its_hours(
    scene: Scene, settings: dict[str, Any], scheduled: list[str]
) -> None:
    scene.settle(None, **settings)
    assert scene.scheduled == scheduled


def test_a_new_machine_is_told_of_more_than_the_module_takes(scene: Scene) -> None:
    scene.settle(None, max_hours=1000)
    assert scene.notebook.told == [{"do": "set", "max_hours": 1000}]


def test_a_machine_that_cannot_be_told_is_warned_of(scene: Scene) -> None:
    scene.notebook.answer = NoAnswerError("nobody there")
    scene.settle(RECORD, rested=True)
    (warned,) = scene.events
    assert isinstance(warned, Warned)
    assert "nobody there" in warned.text
    scene.notebook.answer = None
    # Of an old one, only where something was asked of it.
    scene.settle(RECORD, rested=True)
    assert len(scene.events) == 1
    scene.settle(RECORD, max_hours=5)
    assert "older version" in scene.events[1].text


@pytest.mark.parametrize(
    ("state", "rested"), [("stopped", True), ("stopping", True), ("running", False), (None, False)]
)
def test_whether_it_rested_is_seen_before(
    tmp_path: Path, state: str | None, *, rested: bool
) -> None:
    scene = Scene(tmp_path, Notebook(), state)

    def before(record: Record | None) -> Before:
        return autostop.before(scene.world, scene.home, scene.way, record)

    assert before(RECORD) == Before(RECORD, rested=rested)
    assert before(None) == Before(None)
    assert before(replace(RECORD, ended=True)) == Before(None)
    assert [one.what for one in journal.read(scene.home).moments] == (
        ["started", "stopped"] if rested else []
    )


def test_hours_are_added(scene: Scene) -> None:
    assert autostop.extend(scene.world, "gpu", 2.5) == AUTOSTOP
    assert scene.notebook.told == [{}, {"do": "extend", "hours": 2.5}]
    assert scene.scheduled == ["stop 23 23:00"]
    assert scene.questions == []


def test_nobody_extends_what_another_command_works_on(scene: Scene) -> None:
    with scene.home.locked("up gpu"), pytest.raises(LockedError, match="up gpu"):
        autostop.extend(scene.world, "gpu", 1)
    assert scene.notebook.told == scene.scheduled == []


@pytest.mark.parametrize("hours", [-1, 0, float("nan"), 9000])
def test_hours_that_are_none_are_refused_before_anybody_is_asked(
    scene: Scene, hours: float
) -> None:
    with pytest.raises(SettingsError, match="extend"):
        autostop.extend(scene.world, "gpu", hours)
    assert scene.notebook.told == []


def test_more_than_a_month_is_asked_about(scene: Scene) -> None:
    assert autostop.extend(scene.world, "gpu", 721) == AUTOSTOP
    assert "721 hours are more than a month" in scene.questions[0]
    scene.agreed = False
    with pytest.raises(UsageError, match="Nothing was changed"):
        autostop.agree(scene.world, 721)

    def nobody(_: str) -> bool:
        raise UnansweredError("Nobody is there to answer.", hint="Add --yes")

    scene.world.confirm = nobody
    with pytest.raises(UnansweredError):
        autostop.extend(scene.world, "gpu", 721)
    autostop.agree(scene.world, 720)
    autostop.agree(scene.world, None)


def test_a_machine_without_an_end_has_none_that_could_be_later(scene: Scene) -> None:
    scene.notebook.answer = replace(AUTOSTOP, ends_at=None)
    with pytest.raises(UsageError, match="no limit") as raised:
        autostop.extend(scene.world, "gpu", 1)
    assert "up gpu --hours 12" in (raised.value.hint or "")


def test_an_old_machine_cannot_be_extended(scene: Scene) -> None:
    scene.notebook.answer = None
    with pytest.raises(FailedError, match="older version"):
        autostop.extend(scene.world, "gpu", 1)


def test_a_stopped_machine_has_to_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, Notebook(), "stopped")
    monkeypatch.setattr(place, "back_to", lambda *_: scene.way)
    with pytest.raises(FailedError, match="is stopped") as raised:
        autostop.extend(scene.world, "gpu", 1)
    assert raised.value.hint == "python -m wrapper start gpu"
    with pytest.raises(UnknownDeploymentError):
        autostop.extend(scene.world, "other", 1)
