"""Snapshots of the embedded EC2, as its API tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.local_api import Machines, account, describe, ec2, refusal, run
from tests.unit.local_volumes import ZONE, completed, machines, make, snapshot, tagged, volume

if TYPE_CHECKING:
    from tests.ec2 import Account

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


def test_a_snapshot_is_pending_then_completed_and_is_of_its_moment(
    ec2: Any, machines: Machines
) -> None:
    disk = make(ec2, Encrypted=True)
    machines.blocks.contents[disk] = "first"
    made = ec2.create_snapshot(VolumeId=disk, Description="before")
    assert (made["State"], made["Progress"], made["VolumeSize"]) == ("pending", "0%", 50)
    assert refusal(lambda: make(ec2, SnapshotId=made["SnapshotId"]))[0] == "IncorrectState"
    machines.blocks.contents[disk] = "second"
    ec2.modify_volume(VolumeId=disk, Size=60)
    copy = completed(ec2, made["SnapshotId"])
    ec2.delete_volume(VolumeId=disk)

    described = snapshot(ec2, copy)
    assert (described["Progress"], described["VolumeSize"]) == ("100%", 50)
    assert described["VolumeId"] == disk
    assert described["Encrypted"] is True
    restored = make(ec2, SnapshotId=copy, AvailabilityZone="us-east-1b")
    assert machines.blocks.contents[restored] == "first"
    assert volume(ec2, restored)["Encrypted"] is True
    assert volume(ec2, restored)["SnapshotId"] == copy


def test_a_volume_of_a_snapshot_is_at_least_as_large(ec2: Any) -> None:
    copy = completed(ec2, ec2.create_snapshot(VolumeId=make(ec2))["SnapshotId"])
    as_it_was = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=copy)["VolumeId"]

    assert volume(ec2, as_it_was)["Size"] == 50
    assert volume(ec2, make(ec2, SnapshotId=copy, Size=60))["Size"] == 60
    code, message = refusal(lambda: make(ec2, SnapshotId=copy, Size=49))
    assert code == "InvalidParameterValue"
    assert message == f"Volume of 49GiB is smaller than snapshot '{copy}' of 50GiB"


def test_a_snapshot_goes_to_another_region_and_stays_when_the_first_is_deleted(
    account: Account, machines: Machines
) -> None:
    here, there = account.client(), account.client("eu-west-1")
    disk = make(here)
    machines.blocks.contents[disk] = "data"
    first = here.create_snapshot(VolumeId=disk)["SnapshotId"]
    asked = {"SourceRegion": "us-east-1", "SourceSnapshotId": first}
    assert refusal(lambda: there.copy_snapshot(**asked))[0] == "IncorrectState"
    completed(here, first)

    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": "moved"}]}]
    copy = there.copy_snapshot(**asked, TagSpecifications=tags)["SnapshotId"]
    completed(there, copy)
    here.delete_snapshot(SnapshotId=first)

    described = snapshot(there, copy)
    assert (described["VolumeId"], described["VolumeSize"]) == ("vol-ffffffff", 50)
    assert described["Tags"] == [{"Key": "Name", "Value": "moved"}]
    restored = make(there, SnapshotId=copy, AvailabilityZone="eu-west-1a")
    assert machines.blocks.contents[restored] == "data"
    assert refusal(lambda: snapshot(here, first))[0] == "InvalidSnapshot.NotFound"
    assert refusal(lambda: snapshot(here, copy))[0] == "InvalidSnapshot.NotFound"
    assert refusal(lambda: here.delete_snapshot(SnapshotId=first))[0] == "InvalidSnapshot.NotFound"


def test_the_snapshots_of_images_are_not_ones_own_and_hold_no_blocks(ec2: Any) -> None:
    public = ec2.describe_snapshots()["Snapshots"]
    root = describe(ec2, run(ec2))["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    assert public
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    asked = {"SnapshotId": public[0]["SnapshotId"], "Size": 100}
    assert refusal(lambda: make(ec2, **asked))[0] == "UnsupportedOperation"
    assert refusal(lambda: ec2.create_snapshot(VolumeId=root))[0] == "UnsupportedOperation"


def test_snapshots_are_found_by_what_terraform_and_the_wrapper_ask(ec2: Any) -> None:
    disk = make(ec2, Size=7)
    specification = tagged("snapshot", clouds_of="mine")
    mine = ec2.create_snapshot(VolumeId=disk, TagSpecifications=specification)["SnapshotId"]
    ec2.create_snapshot(VolumeId=make(ec2), Description="other")
    completed(ec2, mine)

    for name, value in {
        "owner-id": "123456789012",
        "snapshot-id": mine,
        "tag:clouds:of": "mine",
        "volume-id": disk,
        "volume-size": "7",
    }.items():
        found = ec2.describe_snapshots(
            OwnerIds=["self"],
            Filters=[
                {"Name": name, "Values": [value]},
                {"Name": "status", "Values": ["completed", "pending"]},
                {"Name": "description", "Values": [""]},
            ],
        )["Snapshots"]
        assert [one["SnapshotId"] for one in found] == [mine], name
