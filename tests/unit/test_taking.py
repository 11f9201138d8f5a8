"""`local interrupt`: EC2 takes a machine, and starts it again once there is capacity for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import Account, served
from tests.unit import fleet
from tests.unit.local_api import Clock, Machines
from tests.unit.worlds import Embedded, StandIn, bare_world
from wrapper import cli, deployment
from wrapper.aws import Aws
from wrapper.cli import worlds
from wrapper.errors import UsageError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wrapper.deployment.world import World

HERE = Place("local", "us-east-1", "123456789012")


class Door(Embedded):
    """The embedded EC2's door, with the hand on the market of the test's account."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.environment)
        self.capacity = account.control.capacity
        self.interrupt = account.control.interrupt


class Scene:
    """One spot machine, and time that passes when a test says so."""

    def __init__(self, account: Account, clock: Clock, folder: Path) -> None:
        self.account, self.clock = account, clock
        self.ec2 = account.client()
        self.told: list[Any] = []
        self.world: World = replace(
            bare_world(folder, account, StandIn(), self.told),
            embedded=lambda: Door(account),  # type: ignore[arg-type, return-value] # as much as is asked
        )
        self.home = Home(root(self.world.environment) / "moon")
        self.home.create()

    def machine(self, *, market: str = "spot", place: Place = HERE) -> str:
        """It runs, and this computer remembers it."""
        wanted = {"ImageId": fleet.image(self.ec2), "InstanceType": "t3.large"}
        if market == "spot":
            asked = self.ec2.request_spot_instances(
                Type="persistent",
                InstanceInterruptionBehavior="stop",
                LaunchSpecification=wanted,
                TagSpecifications=fleet.tags("moon", "spot-instances-request"),
            )["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
            self.later(8)
            found = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[asked])
            made = found["SpotInstanceRequests"][0]["InstanceId"]
        else:
            made = self.ec2.run_instances(**wanted, MinCount=1, MaxCount=1)["Instances"][0][
                "InstanceId"
            ]
        self.later(4)
        record = Record("moon", place, outputs={"instance_id": made}, instance_ids=(made,))
        self.home.remember(record)
        return str(made)

    def later(self, seconds: float) -> None:
        """So much time has passed, in steps in which something can follow from something."""
        for _ in range(4):
            self.clock.advance(seconds / 4)
            self.account.control.tick()

    def stands(self, instance_id: str) -> tuple[str, str]:
        """The machine's state, and its request's status."""
        aws = Aws(environment=self.account.environment)
        (request,) = aws.find_spot_requests("moon")
        return fleet.state(self.ec2, instance_id), request.status


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = Clock()
    with served(Machines(clock), clock) as account:
        yield Scene(account, clock, tmp_path)


def test_ec2_takes_the_machine_and_starts_it_again(scene: Scene) -> None:
    made = scene.machine()
    found = deployment.take(scene.world, "moon", after=15, capacity=True)
    assert (found.instance_id, found.action, found.notice) == (made, "stop", True)
    assert scene.stands(made) == ("running", "marked-for-stop")
    scene.later(15)
    scene.later(2)
    assert scene.stands(made) == ("stopped", "instance-stopped-no-capacity")
    scene.later(12)
    assert scene.stands(made) == ("running", "fulfilled"), "by itself"


def test_without_capacity_it_stays_down_until_told(scene: Scene) -> None:
    made = scene.machine()
    found = deployment.take(scene.world, "moon", notice=False, capacity=False)
    assert (found.capacity, found.notice) == ("none", False)
    scene.later(600)
    assert scene.stands(made) == ("stopped", "instance-stopped-no-capacity")
    (rule,) = scene.account.control.describe()["capacity"]
    assert (rule["zone"], rule["instance_type"], rule["market"]) == (
        found.zone,
        found.instance_type,
        "spot",
    )
    scene.account.control.capacity("back", zone=found.zone)
    scene.later(12)
    assert scene.stands(made) == ("running", "fulfilled")


def test_on_aws_capacity_is_nobodys_to_withhold(scene: Scene) -> None:
    scene.machine(place=Place("aws", "us-east-1", "123456789012"))
    with pytest.raises(UsageError, match="not yours to withhold") as raised:
        deployment.take(scene.world, "moon", capacity=False)
    assert "python -m wrapper interrupt moon" in str(raised.value.hint)


def test_only_spot_is_taken(scene: Scene) -> None:
    scene.machine(market="on-demand")
    with pytest.raises(UsageError, match="on-demand"):
        deployment.take(scene.world, "moon", capacity=False)
    assert scene.account.control.describe()["capacity"] == []


def test_a_no_takes_nothing(scene: Scene) -> None:
    made = scene.machine()
    world = replace(scene.world, confirm=lambda _: False)
    with pytest.raises(UsageError, match="Nothing was interrupted"):
        deployment.take(world, "moon", capacity=False)
    assert scene.stands(made) == ("running", "fulfilled")
    assert scene.account.control.describe()["capacity"] == []


def test_the_line_says_what_to_type_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = scene.machine()
    monkeypatch.setattr(worlds, "real", lambda *_: scene.world)
    line = "local interrupt moon --yes --no-capacity --after 3"
    assert cli.main(line.split()) == 0
    said = capsys.readouterr().out
    assert f"moon: {made}, stop at " in said
    assert "local capacity back --zone us-east-1a --type t3.large --market spot" in said
    scene.later(4)
    assert scene.stands(made) == ("stopped", "instance-stopped-no-capacity")
