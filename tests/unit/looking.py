"""Offers, asked of an EC2 API on this computer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.aws import Needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.offering import Offered
    from wrapper.deployment.world import World

LARGE = Needs(memory_gib=700, cpus=90)
TWO = ("us-east-1", "eu-west-1")


@dataclass(frozen=True)
class Look:
    """Asks for offers."""

    world: World

    def __call__(self, needs: Needs = LARGE, *, refresh: bool = False, **looking: Any) -> Offered:
        wanted = deployment.Looking(needs=needs, **looking)
        return deployment.offers(self.world, wanted, refresh=refresh)


@pytest.fixture(scope="module")
def market() -> Iterator[Account]:
    """An account whose market these tests move."""
    with served() as found:
        yield found


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def look(market: Account, tmp_path: Path, told: list[Any], monkeypatch: pytest.MonkeyPatch) -> Look:
    """As with an account of AWS's; nothing is kept from before."""
    for key, value in market.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    world = bare_world(tmp_path, market, StandIn(), told)
    world = replace(world, environment={**world.environment, **market.environment})
    return Look(world)


@contextmanager
def denied(market: Account, *actions: str) -> Iterator[None]:
    for action in actions:
        market.control.refuse(action, "denied")
    try:
        yield
    finally:
        for action in actions:
            market.control.refuse(action, None)
