"""`stop`: what can be stopped, what cannot, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import data_volume, fulfilled, image, launch, request_spot, state, until
from tests.unit.worlds import told, world
from wrapper import deployment
from wrapper.aws import Aws, Holding, Instance, Leftover
from wrapper.deployment import monthly, place, summary
from wrapper.errors import FailedError, NoAnswerError, UsageError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

__all__ = ["told", "world"]  # fixtures, for pytest to find here


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
    assert deployment.status(world, name).monthly == found.monthly
    assert [one.monthly for one in deployment.every(world)] == [found.monthly]
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


@pytest.fixture
def taken(account: Account, ec2: EC2Client, name: str, known: Callable[..., None]) -> Iterator[str]:
    """A persistent spot machine that EC2 has stopped for want of capacity."""
    request = request_spot(ec2, name)
    machine = fulfilled(ec2, request)
    known(instance_id=machine, spot_request_id=request)
    account.control.capacity("none", market="spot")
    try:
        account.control.interrupt(machine, after=0)
        until(lambda: state(ec2, machine) == "stopped")
        yield machine
    finally:
        account.control.capacity("back")


@pytest.fixture
def volume(world: World, ec2: EC2Client, name: str, taken: str) -> Iterator[str]:
    """Its data volume."""
    made = data_volume(ec2, name, taken)
    home = Home(root(world.environment) / name)
    record = home.record()
    assert record
    home.remember(replace(record, outputs={**record.outputs, "data_volume_id": made}))
    yield made
    ec2.terminate_instances(InstanceIds=[taken])
    until(lambda: _volume(ec2, made)["State"] == "available")
    ec2.delete_volume(VolumeId=made)


def _machine(world: World, name: str) -> str:
    record = Home(root(world.environment) / name).record()
    assert record
    return str(record.instance_id)


def _volume(ec2: EC2Client, volume_id: str) -> Any:
    return ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]


def test_only_ending_keeps_an_interrupted_machine_down_and_its_data_stays(
    world: World, ec2: EC2Client, name: str, volume: str, told: list[Any]
) -> None:
    taken = _machine(world, name)
    with pytest.raises(FailedError, match=r"starts again by itself.*at whatever hour") as raised:
        deployment.stop(world, name)
    assert "Only cancelling its request keeps it down, which ends the" in raised.value.message
    hint = raised.value.hint or ""
    assert f"stop {name} --keep-down (its data stays on {volume} (50 GiB)" in hint
    assert state(ec2, taken) == "stopped"
    with pytest.raises(UsageError, match="Nothing was ended"):
        deployment.stop(replace(world, confirm=lambda _: False), name, keep_down=True)
    found = deployment.stop(world, name, keep_down=True)
    assert (found.state, state(ec2, taken)) == ("terminated", "terminated")
    assert _volume(ec2, volume)["State"] == "available"
    assert found.monthly == {"disks": 4.0}, "the data volume's"
    assert told[-1].text.startswith(f"{volume} is there, available: its data stays on {volume} (50")
    assert {one.state for one in _requests(world, name)} == {"cancelled"}


def _requests(world: World, name: str) -> list[Any]:
    record = Home(root(world.environment) / name).record()
    assert record
    return place.back_to(world, record).aws.find_spot_requests(name)


def test_an_interrupted_machine_is_not_started_in_vain(
    world: World, ec2: EC2Client, name: str, taken: str
) -> None:
    found = deployment.status(world, name)
    assert "instance-stopped-no-capacity: EC2 stopped it" in (found.spot_request or "")
    assert found.waits_for_ec2
    with pytest.raises(NoAnswerError, match="cannot be started by you") as raised:
        deployment.start(world, name)
    assert "--fallback" in (raised.value.hint or "")
    ec2.terminate_instances(InstanceIds=[taken])


def test_without_a_data_volume_nothing_is_kept_and_nothing_ended(
    world: World, ec2: EC2Client, name: str, taken: str
) -> None:
    with pytest.raises(UsageError, match="it has no data volume") as raised:
        deployment.stop(world, name, keep_down=True)
    assert f"python -m wrapper down {name}" in (raised.value.hint or "")
    assert state(ec2, taken) == "stopped"
    ec2.terminate_instances(InstanceIds=[taken])


def test_a_volume_that_would_go_with_the_machine_is_told_and_the_machine_stays(
    world: World,
    ec2: EC2Client,
    name: str,
    volume: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Aws.volume
    monkeypatch.setattr(
        Aws, "volume", lambda *of: replace(seen(*of) or _none(), ends_with_machine=True)
    )
    with pytest.raises(FailedError, match=f"told EC2 to delete {volume} with it") as raised:
        deployment.stop(world, name, keep_down=True)
    assert f"snapshot {name}" in (raised.value.hint or "")
    assert state(ec2, _machine(world, name)) == "stopped"


def _none() -> Any:
    raise AssertionError("there is one")


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
    assert monthly.of_leftovers(left) == {"disks": 6.4, "address": 3.65}
    assert monthly.of_leftovers([]) == {}


GIB = {"volume": 100, "snapshot": 50, "address": 0}


@pytest.mark.parametrize(
    ("region", "costs"),
    [
        ("us-east-1", {"disks": 8.0, "address": 3.65, "snapshots": 2.5}),
        ("eu-central-1", {"disks": 9.52, "address": 3.65, "snapshots": 2.5}),
        ("eu-west-3", {"disks": 8.0, "address": 3.65, "snapshots": 2.5}),
    ],
)
def test_a_month_is_reckoned_by_the_prices_of_the_region_where_they_are_known(
    region: str, costs: dict[str, float]
) -> None:
    held = [Holding(kind, kind, "one", gib, None) for kind, gib in GIB.items()]  # type: ignore[arg-type] # literals
    assert monthly.priced(held, region) == costs
    words = monthly.in_words(costs, region) or ""
    assert words.startswith(f"about ${sum(costs.values()):.2f} a month (disks $")
    assert ("differ by some per cent" in words) == (region == "eu-west-3")


def test_what_is_kept_elsewhere_belongs_to_nobody_here(
    world: World, ec2: EC2Client, name: str, known: Callable[..., None]
) -> None:
    known(instance_id=launch(ec2, name))
    before = deployment.status(world, name).monthly
    others = data_volume(ec2, f"{name}-2")
    mine = ec2.create_snapshot(
        VolumeId=others,
        TagSpecifications=[
            {
                "ResourceType": "snapshot",
                "Tags": [{"Key": "jupyter-clouds:data-of", "Value": name}],
            }
        ],
    )["SnapshotId"]
    assert deployment.status(world, name).monthly == {**before, "snapshots": 2.5}
    ec2.delete_snapshot(SnapshotId=mine)
    ec2.delete_volume(VolumeId=others)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://198.18.0.10:9999/", "https://198.18.0.77:9999/"),
        ("https://lab.example.org:9999/", "https://lab.example.org:9999/"),
    ],
    ids=["an address", "a domain"],
)
def test_without_an_elastic_ip_the_address_is_that_of_the_last_start(url: str, told: str) -> None:
    record = Record("mine", Place("local", "us-east-1", "123456789012"))
    record.outputs.update(public_ip="198.18.0.10", url=url)
    machine = Instance(
        instance_id="i-1",
        name="mine",
        state="running",
        state_reason=None,
        instance_type="t3.large",
        zone="us-east-1a",
        market="on-demand",
        public_ip="198.18.0.77",
        launched_at=datetime.now(UTC),
        spot_request_id=None,
        imdsv2_required=True,
    )
    assert summary.summarise(record, machine).url == told
    assert summary.following(record, machine).outputs["public_ip"] == "198.18.0.77"
    assert summary.following(record, None) == record
