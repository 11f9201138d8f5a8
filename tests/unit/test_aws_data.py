"""Volumes and snapshots of data, on the embedded EC2's API."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import data_volume, fulfilled, launch, request_spot
from wrapper.aws import Aws, snapshots
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

NO_VOLUME = "vol-0123456789abcdef0"
NO_SNAPSHOT = "snap-0123456789abcdef0"


def _deaf(_: int) -> None:
    pass


def test_a_volume_is_found_by_whose_data_it_holds(aws: Aws, ec2: EC2Client, name: str) -> None:
    machine = launch(ec2, name)
    volume_id = data_volume(ec2, name, machine)
    (found,) = aws.find_volumes(name)
    assert (found.volume_id, found.gib, found.state) == (volume_id, 50, "in-use")
    assert (found.attached_to, found.data_of, found.deployment) == (machine, name, name)
    assert (found.encrypted, found.kept_at, found.ending) == (True, None, None)
    assert aws.volume(volume_id) == found
    assert aws.find_volumes(f"{name}-2") == []
    aws.end_machines(name)
    aws.wait_until_free(volume_id)
    free = aws.volume(volume_id)
    assert free is not None
    assert (free.state, free.attached_to) == ("available", None)
    aws.delete_volume(volume_id)


def test_a_released_volume_is_no_leftover_and_a_claimed_one_is_a_part_again(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    volume_id = data_volume(ec2, name)
    assert [one.id for one in aws.leftovers(name)] == [volume_id]
    aws.mark_ending(volume_id, "one")
    aws.release_volume(volume_id, name)
    (kept,) = aws.find_volumes(name)
    assert (kept.deployment, kept.ending) == (None, None)
    assert kept.kept_at is not None
    assert aws.leftovers(name) == []
    aws.claim_volume(volume_id, name)
    (claimed,) = aws.find_volumes(name)
    assert (claimed.deployment, claimed.kept_at) == (name, None)
    aws.delete_volume(volume_id)
    aws.delete_volume(volume_id)
    assert aws.find_volumes(name) == []
    aws.wait_until_free(volume_id)


def test_a_volume_of_somebody_elses_is_no_leftover_though_a_machine_holds_it(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    machine = fulfilled(ec2, request_spot(ec2, name))
    foreign = data_volume(ec2, f"{name}-2", machine)
    left = {one.id: one.kind for one in aws.leftovers(name)}
    assert "volume" in left.values(), "the disk that spot left untagged"
    assert foreign not in left
    aws.end_machines(name)
    assert aws.leftovers(name) == []
    aws.delete_volume(foreign)


def test_a_snapshot_and_its_copy_tell_the_architecture_of_what_is_in_them(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    volume_id = data_volume(ec2, name, architecture="arm64")
    volume = aws.volume(volume_id)
    assert volume
    aws.release_volume(volume_id, name)
    assert [one.architecture for one in aws.find_volumes(name)] == ["arm64"]
    taken = aws.create_snapshot(volume, name, "final").snapshot_id
    done = aws.wait_for_snapshot(taken, _deaf)
    copied = aws.copy_snapshot(done, "us-east-1", name)
    assert {one.architecture for one in aws.find_snapshots(name)} == {"arm64"}
    for one in (copied, taken):
        aws.wait_for_snapshot(one, _deaf)
        aws.delete_snapshot(one)
    aws.delete_volume(volume_id)


def test_a_snapshot_is_taken_waited_for_and_found(aws: Aws, ec2: EC2Client, name: str) -> None:
    volume_id = data_volume(ec2, name)
    volume = aws.volume(volume_id)
    assert volume is not None
    told: list[int] = []
    first = aws.create_snapshot(volume, name, "manual")
    second = aws.create_snapshot(volume, name, "final", ending="one")
    done = aws.wait_for_snapshot(second.snapshot_id, told.append)
    aws.wait_for_snapshot(first.snapshot_id, _deaf)
    assert (done.state, done.percent, told[-1]) == ("completed", 100, 100)
    assert (done.volume_id, done.gib, done.encrypted) == (volume_id, 50, True)
    assert (done.data_of, done.kind, done.ending, done.copy_of) == (name, "final", "one", None)
    found = aws.find_snapshots(name)
    assert {one.snapshot_id for one in found} == {first.snapshot_id, second.snapshot_id}
    assert found[0].started_at >= found[1].started_at
    tags = ec2.describe_snapshots(SnapshotIds=[second.snapshot_id])["Snapshots"][0].get("Tags", [])
    assert {"Key": "jupyter-clouds:gib", "Value": "50"} in tags
    assert "jupyter-clouds:deployment" not in {one.get("Key") for one in tags}
    aws.delete_volume(volume_id)
    assert aws.leftovers(name) == [], "snapshots are kept on purpose"
    for one in found:
        aws.delete_snapshot(one.snapshot_id)
        aws.delete_snapshot(one.snapshot_id)
    assert aws.find_snapshots(name) == []


def test_what_does_not_exist_is_none(aws: Aws) -> None:
    assert aws.volume(NO_VOLUME) is None
    assert aws.snapshot(NO_SNAPSHOT) is None


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What EC2 shows of a snapshot at one look after the other; the last one stays."""
    looks: list[Any] = []

    def look(*_: Any) -> Any:
        return looks.pop(0) if len(looks) > 1 else looks[0]

    monkeypatch.setattr(snapshots, "snapshot", look)
    return looks


def _as(state: str, percent: int = 0, message: str = "") -> Any:
    return SimpleNamespace(state=state, percent=percent, message=message, volume_id=NO_VOLUME)


def test_a_snapshot_is_waited_for_until_it_is_completed(aws: Aws, shown: list[Any]) -> None:
    # Not shown yet, slow, and once more under way after EC2 was asked too early.
    shown += [None, _as("pending", 3), _as("pending", 57), _as("completed", 100)]
    told: list[int] = []
    assert aws.wait_for_snapshot(NO_SNAPSHOT, told.append).state == "completed"
    assert told == [3, 57, 100]


@pytest.mark.parametrize(
    ("state", "said"),
    [(_as("error", 40, "Client.InvalidKmsKey"), "failed: Client.InvalidKmsKey"), (None, "has no")],
    ids=["failed", "gone"],
)
def test_a_snapshot_that_will_never_be_completed_is_told(
    aws: Aws, shown: list[Any], monkeypatch: pytest.MonkeyPatch, state: Any, said: str
) -> None:
    monkeypatch.setattr(snapshots, "_LOOKS", 2)
    shown += [_as("pending", 3), state]
    with pytest.raises(AwsError, match=said):
        aws.wait_for_snapshot(NO_SNAPSHOT, _deaf)


def test_a_one_time_request_is_told_from_one_that_can_rest(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, name)
    found = aws.spot_request(request_id)
    assert found is not None
    assert found.persistent
    machine = launch(
        ec2,
        name,
        InstanceMarketOptions={
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time"},
        },
    )
    instance = aws.instance(machine)
    assert instance is not None
    request = aws.spot_request(instance.spot_request_id or "")
    assert request is not None
    assert not request.persistent
    aws.end_machines(name)
