"""A machine's boot watched: what is news, and when there is no hope left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from wrapper.deployment import watch as room
from wrapper.deployment.events import BootPhase
from wrapper.deployment.watch import Watch
from wrapper.errors import BootError

if TYPE_CHECKING:
    from wrapper.deployment.events import Event

STARTED = "jupyter-clouds: phase=notebook state=started\n"
FAILED = "jupyter-clouds: phase=notebook state=failed seconds={} exit=1\n"
LOG = 'jupyter-clouds: log phase=notebook text="port 9999 is taken"\n'


@dataclass
class Machine:
    """Says on its console what the test lets it say."""

    says: str = ""

    def console(self, _: str) -> str:
        return self.says

    def instance(self, _: str) -> Any:
        return type("Found", (), {"state": "running"})


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Scene:
    machine: Machine
    clock: Clock
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = Watch(self.machine, "x", self.told.append)  # type: ignore[arg-type] # as much as is asked
        self.watch.follow("i-1")

    def goes_on(self, seconds: float, says: str = "") -> None:
        """Time passes, and the machine has said so much more."""
        self.clock.now += seconds
        self.machine.says += says
        self.watch.look()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    clock = Clock()
    monkeypatch.setattr(room, "time", clock)
    return Scene(Machine(), clock)


def test_a_service_that_fails_again_and_again_is_given_up_with_its_reason(scene: Scene) -> None:
    scene.goes_on(1, STARTED + FAILED.format("1.2") + LOG)
    for number in range(5):
        scene.goes_on(5, STARTED)
        scene.goes_on(1, FAILED.format(f"1.{number}"))
        scene.watch.check_alive()
    assert scene.told == [BootPhase("notebook", "failed", 1.2)], "said once"
    scene.goes_on(5, STARTED)
    scene.watch.check_alive()  # it may be the time that it works
    scene.goes_on(1, FAILED.format("1.2"))
    with pytest.raises(BootError, match=r"phase notebook\n  \| port 9999 is taken"):
        scene.watch.check_alive()


def test_a_service_that_works_the_second_time_is_news(scene: Scene) -> None:
    scene.goes_on(1, STARTED + FAILED.format("1.2") + LOG + STARTED)
    scene.goes_on(40, "jupyter-clouds: phase=notebook seconds=2.5\n")
    scene.watch.check_alive()
    assert scene.watch.quiet == 0
    assert scene.told[-1] == BootPhase("notebook", "done", 2.5)


def test_a_silent_machine_is_given_up(scene: Scene) -> None:
    scene.goes_on(1, STARTED)
    scene.goes_on(room.SILENT_FOR)
    scene.watch.check_alive()
    scene.goes_on(1)
    with pytest.raises(BootError, match="silent for 15 minutes"):
        scene.watch.check_alive()


def test_a_failure_of_before_a_restart_is_not_held_against_it(scene: Scene) -> None:
    scene.goes_on(1, STARTED + FAILED.format("1.2") + LOG)
    scene.watch.forgive()
    scene.goes_on(room.SETTLED + 60)  # EC2 takes its time to stop and start
    scene.watch.check_alive()
    scene.goes_on(1, STARTED + FAILED.format("1.3"))
    with pytest.raises(BootError, match="port 9999 is taken"):
        scene.watch.check_alive()
