"""How long a notebook that does not answer is waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from wrapper.deployment import verify
from wrapper.deployment.world import Address
from wrapper.errors import BusyError, NoAnswerError


@dataclass
class Clock:
    """Time that passes by waiting."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Ready:
    """A machine that said at 0 that its notebook is ready, and nothing since."""

    clock: Clock
    instance_id: str = "i-1"
    boot: Any = field(default_factory=lambda: SimpleNamespace(ready=True))

    @property
    def quiet(self) -> float:
        return self.clock.now

    def look(self) -> None:
        """Nothing new."""

    def check_alive(self) -> None:
        """It is."""


@pytest.mark.parametrize(
    ("kind", "seconds", "patience"),
    [(NoAnswerError, 2.0, (60, 90)), (BusyError, 10.0, (600, 630))],
    ids=["a closed way", "a busy server"],
)
def test_a_busy_server_is_given_more_time_than_a_closed_way(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[NoAnswerError],
    seconds: float,
    patience: tuple[int, int],
) -> None:
    clock = Clock()
    monkeypatch.setattr(verify, "time", clock)

    def look_whose(*_: object, **__: object) -> None:
        clock.now += seconds
        raise kind("not now")

    world: Any = SimpleNamespace(look_whose=look_whose)
    watch: Any = Ready(clock)
    with pytest.raises(kind):
        verify.wait_for_answer(world, watch, Address("203.0.113.9"), "ab")
    assert patience[0] < clock.now < patience[1]
