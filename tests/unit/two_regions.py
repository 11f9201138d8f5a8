"""An account of its own, with two regions that somebody has used."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.ending import PLACE
from tests.unit.fleet import tags
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.cli import worlds
from wrapper.deployment import clearing
from wrapper.home import Home, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.whole_account import Found
    from wrapper.deployment.world import World

HERE, THERE = "us-east-1", "eu-west-1"


@dataclass
class Scene:
    """An account of its own, with two regions that somebody has used."""

    account: Account
    path: Path
    told: list[Any] = field(default_factory=list)
    agrees: list[bool] = field(default_factory=list)

    @property
    def world(self) -> World:
        made = bare_world(self.path, self.account, StandIn(), self.told)
        return dataclasses.replace(
            made, confirm=lambda _: self.agrees.pop(0) if self.agrees else True
        )

    def address(self, name: str, region: str = HERE) -> str:
        """An Elastic IP that nobody lets go of."""
        ec2 = self.account.client(region)
        made = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
        return str(made["AllocationId"])

    def remember(self, name: str, region: str = HERE) -> Home:
        home = Home(root(self.world.environment) / name)
        home.create()
        home.remember(Record(name, dataclasses.replace(PLACE, region=region)))
        return home

    def sweep(self, **how: Any) -> Any:
        how = {"local": True, "regions": (HERE, THERE), **how}
        return deployment.sweep(self.world, **how)

    def found(self) -> dict[tuple[str, str], Found]:
        seen = deployment.census(self.world, local=True, regions=(HERE, THERE))
        return {(one.name, one.region): one for one in seen.found}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(clearing, "AGAIN", (0.0, 0.1, 0.3))
    with served() as account:
        yield Scene(account, tmp_path)


@pytest.fixture
def typed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The command line acts in the scene."""
    monkeypatch.setattr(worlds, "real", lambda *_: scene.world)
    return scene
