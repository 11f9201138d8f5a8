"""`stop`: what can be stopped, what cannot, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import fulfilled, image, launch, request_spot, state, until
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.aws import Leftover
from wrapper.deployment import pausing
from wrapper.errors import FailedError, UsageError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World


@pytest.fixture
def world(tmp_path: Path, account: Account) -> World:
    return bare_world(tmp_path, account, StandIn(), [])


@pytest.fixture
def known(world: World, name: str) -> Callable[..., None]:
    """Makes this computer know of the deployment."""

    def remember(**outputs: Any) -> None:
        home = Home(root(world.environment) / name)
        home.create()
        where = Place("local", "us-east-1", "123456789012")
        home.remember(Record(name=name, place=where, outputs=outputs))

    return remember


def test_a_machine_is_stopped_once(
    world: World, ec2: EC2Client, name: str, known: Callable[..., None]
) -> None:
    machine = launch(ec2, name)
    known(instance_id=machine)
    found = deployment.stop(world, name)
    assert (found.state, found.changed, state(ec2, machine)) == ("stopped", True, "stopped")
    assert found.monthly["disks"] > 0
    again = deployment.stop(world, name)
    assert (again.state, again.changed) == ("stopped", False)
    assert again.document()["monthly"] == found.monthly


def test_a_persistent_spot_machine_is_stopped_and_its_owner_named(
    world: World, ec2: EC2Client, name: str, known: Callable[..., None]
) -> None:
    request = request_spot(ec2, name)
    known(instance_id=fulfilled(ec2, request), spot_request_id=request)
    assert deployment.stop(world, name).state == "stopped"
    told = deployment.status(world, name)
    assert "you stopped it" in (told.spot_request or "")
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])


def test_one_time_spot_is_refused_in_words(
    world: World, ec2: EC2Client, name: str, known: Callable[..., None]
) -> None:
    made = ec2.run_instances(
        ImageId=image(ec2),
        InstanceType="t3.large",
        MinCount=1,
        MaxCount=1,
        InstanceMarketOptions={"MarketType": "spot"},
    )["Instances"][0]
    machine = made["InstanceId"]
    until(lambda: state(ec2, machine) == "running")
    known(instance_id=machine, spot_request_id=made.get("SpotInstanceRequestId"))
    with pytest.raises(UsageError, match="one-time spot machine") as raised:
        deployment.stop(world, name)
    assert "--data snapshot" in (raised.value.hint or "")
    assert state(ec2, machine) == "running"
    ec2.terminate_instances(InstanceIds=[machine])


def test_a_deployment_without_a_machine_is_told_so(
    world: World, name: str, known: Callable[..., None]
) -> None:
    known()
    with pytest.raises(FailedError, match="has no machine"):
        deployment.stop(world, name)


def test_what_a_stopped_one_costs_is_its_disks_and_its_address() -> None:
    left = [
        Leftover("instance", "i-1", "t3.large, stopped"),
        Leftover("volume", "vol-1", "30 GiB, in-use"),
        Leftover("volume", "vol-2", "50 GiB, in-use"),
        Leftover("address", "eipalloc-1", "198.18.0.1"),
    ]
    assert pausing.monthly(left) == {"disks": 6.4, "address": 3.65}
    assert pausing.monthly([]) == {}
