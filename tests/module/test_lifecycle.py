"""Apply, an empty second plan, destroy, nothing left: for the plain module and every example.

They run side by side, each in an account of its own: most of their time is the provider's waiting.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.module.conftest import REPOSITORY, Copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

EXAMPLES = sorted(path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir())
PLAIN: dict[str, dict[str, Any]] = {
    "no inputs but spot": {"spot": True},
    "one-time spot": {"spot": True, "on_interruption": "terminate"},
    "everything": {
        "allowed_cidrs": ["203.0.113.7/32", "2001:db8::/64"],
        "elastic_ip": False,
        "instance_type": "t4g.large",
        "name": "mine",
        "owner": "ada",
        "root_volume_size": 55,
        "spot": True,
        "tags": {"team": "blue"},
    },
}
REGIONS = {"aliased-provider": "ap-northeast-1"}
AT_ONCE = 4


@dataclass
class Seen:
    """One life, as it was seen from outside."""

    outputs: dict[str, Any] = field(default_factory=dict)
    unchanged: bool = False
    instances: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def live(copy: Copy, variables: dict[str, Any], region: str) -> Seen:
    seen = Seen()
    ec2 = copy.account.client(region)
    try:
        seen.outputs = copy.apply(**variables)
        seen.unchanged = copy.is_unchanged()
        seen.instances = [
            one
            for reservation in ec2.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        ]
        seen.volumes = ec2.describe_volumes()["Volumes"]
        seen.requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    finally:
        copy.destroy()
    # An example's own network is its own; here it counts that nothing costs money or blocks a name.
    seen.left = copy.account.left(region)
    return seen


@pytest.fixture(scope="module")
def lives(make_copy: Callable[..., Copy]) -> Iterator[dict[str, Future[Seen]]]:
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        futures: dict[str, Future[Seen]] = {}
        for name in (*PLAIN, *EXAMPLES):
            account = stack.enter_context(served())
            copy = make_copy(account, name if name in EXAMPLES else None)
            if name in EXAMPLES:
                copy.get()
            region = REGIONS.get(name, "us-east-1")
            futures[name] = pool.submit(live, copy, PLAIN.get(name, {}), region)
        yield futures


@pytest.mark.parametrize("name", [*PLAIN, *EXAMPLES])
def test_a_second_plan_is_empty_and_destroy_leaves_nothing(
    lives: dict[str, Future[Seen]], name: str
) -> None:
    seen = lives[name].result()

    assert seen.unchanged
    assert seen.instances
    assert seen.left == []


def test_a_spot_machine_and_its_disk_are_tagged_by_other_means(
    lives: dict[str, Future[Seen]],
) -> None:
    seen = lives["everything"].result()

    expected = {
        "Name": "jupyter-clouds-mine",
        "jupyter-clouds:deployment": "mine",
        "jupyter-clouds:owner": "ada",
        "team": "blue",
    }
    for one in (*seen.instances, *seen.volumes, *seen.requests):
        assert {tag["Key"]: tag["Value"] for tag in one["Tags"]} == expected


def test_a_spot_machine_has_what_was_asked_for(lives: dict[str, Future[Seen]]) -> None:
    seen = lives["everything"].result()

    (instance,), (volume,), (request,) = seen.instances, seen.volumes, seen.requests
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["InstanceType"] == "t4g.large"
    assert instance["Architecture"] == "arm64"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"  # by its image
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (55, "gp3", True)
    assert (request["Type"], request["State"]) == ("persistent", "active")
    assert request["InstanceInterruptionBehavior"] == "stop"


def test_the_outputs_are_those_of_the_machine(lives: dict[str, Future[Seen]]) -> None:
    seen = lives["no inputs but spot"].result()

    (instance,), (request,), outputs = seen.instances, seen.requests, seen.outputs
    assert outputs["instance_id"] == instance["InstanceId"]
    assert outputs["ami_id"] == instance["ImageId"]
    assert outputs["availability_zone"] == instance["Placement"]["AvailabilityZone"]
    assert outputs["public_ip"] == instance["PublicIpAddress"]
    assert outputs["url"] == f"https://{instance['PublicIpAddress']}:9999/"
    assert outputs["spot_request_id"] == request["SpotInstanceRequestId"]
    assert outputs["market"] == "spot"
    assert len(outputs["password"]) == 36
    assert instance["InstanceId"] in outputs["verify_command"]


def test_an_instance_is_tagged_with_its_disk_and_asks_for_imdsv2(
    lives: dict[str, Future[Seen]],
) -> None:
    seen = lives["one-time spot"].result()

    (instance,), (volume,) = seen.instances, seen.volumes
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    for one in (instance, volume):
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        assert tags == {"Name": "jupyter-clouds-notebook", "jupyter-clouds:deployment": "notebook"}
