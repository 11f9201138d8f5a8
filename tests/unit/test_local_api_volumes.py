"""Volumes of the embedded EC2, as its API makes, changes and finds them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.local_api import Machines, account, ec2, refusal
from tests.unit.local_volumes import (
    ZONE,
    attach,
    completed,
    machine,
    machines,
    make,
    tagged,
    until,
    volume,
)
from wrapper.errors import LocalError

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


def modification(ec2: Any, volume_id: str) -> dict[str, Any]:
    found = ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"]
    (told,) = found
    return dict(told)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"Size": 50, "Iops": 3000, "Throughput": 125, "Encrypted": False}),
        ({"Iops": 4000, "Throughput": 250}, {"Iops": 4000, "Throughput": 250}),
        ({"VolumeType": "gp2"}, {"Iops": 150}),
        ({"VolumeType": "gp2", "Size": 8}, {"Iops": 100}),
        ({"Encrypted": True}, {"Encrypted": True}),
    ],
    ids=["gp3", "gp3 with more", "gp2", "small gp2", "encrypted"],
)
def test_a_volume_is_as_asked_for_and_as_its_type_brings(
    ec2: Any, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = volume(ec2, make(ec2, **asked))

    assert {name: made[name] for name in expected} == expected
    assert made["State"] == "available"
    assert made["AvailabilityZone"] == ZONE
    assert ("KmsKeyId" in made) == bool(asked.get("Encrypted"))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Size": 0}, "InvalidParameterValue"),
        ({"Size": 70000}, "InvalidParameterValue"),
        ({"VolumeType": "io2"}, "MissingParameter"),
        ({"VolumeType": "gp9"}, "InvalidParameterValue"),
        ({"VolumeType": "gp2", "Throughput": 200}, "InvalidParameterCombination"),
        ({"Iops": 2999}, "InvalidParameterValue"),
        ({"KmsKeyId": "alias/mine"}, "InvalidParameterDependency"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ({"SnapshotId": "vol-0123456789abcdef0"}, "InvalidSnapshotID.Malformed"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_a_volume_that_cannot_be_is_refused(ec2: Any, asked: dict[str, Any], code: str) -> None:
    assert refusal(lambda: make(ec2, **asked))[0] == code
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_needs_a_size_or_a_snapshot(ec2: Any) -> None:
    said = refusal(lambda: ec2.create_volume(AvailabilityZone=ZONE))

    assert said == ("MissingParameter", "The request must contain the parameter size/snapshot")


def test_a_full_disk_is_an_answer_and_leaves_no_volume(
    ec2: Any, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LocalError("the disk is full")

    monkeypatch.setattr(machines.blocks, "create_volume", full)

    assert refusal(lambda: make(ec2)) == ("InsufficientVolumeCapacity", "the disk is full")
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_only_grows_one_modification_at_a_time(
    ec2: Any, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, instance = make(ec2), machine(ec2)
    attach(ec2, disk, instance)
    assert refusal(lambda: modification(ec2, disk))[0] == "InvalidVolumeModification.NotFound"
    assert refusal(lambda: ec2.modify_volume(VolumeId=disk, Size=49))[0] == "InvalidParameterValue"

    reply = ec2.modify_volume(VolumeId=disk, Size=80)["VolumeModification"]
    assert (reply["OriginalSize"], reply["TargetSize"]) == (50, 80)
    assert reply["ModificationState"] == "modifying"
    until(lambda: modification(ec2, disk)["ModificationState"] == "optimizing")
    told = modification(ec2, disk)
    assert told["TargetSize"] == 80
    assert volume(ec2, disk)["Size"] == machines.blocks.sizes[disk] == 80
    code, message = refusal(lambda: ec2.modify_volume(VolumeId=disk, Size=90))
    assert code == "IncorrectModificationState"
    assert message == f"Volume {disk} cannot be modified in modification state OPTIMIZING"

    monkeypatch.setattr("wrapper.local.api.modifications.OPTIMIZING", timedelta(0))
    for size in (90, 100, 110):
        ec2.modify_volume(VolumeId=disk, Size=size)
    told = modification(ec2, disk)
    assert (told["ModificationState"], told["OriginalSize"]) == ("completed", 100)
    code = refusal(lambda: ec2.modify_volume(VolumeId=disk, Size=120))[0]
    assert code == "VolumeModificationRateExceeded"


def test_a_change_of_type_brings_what_the_type_has(ec2: Any) -> None:
    disk = make(ec2, VolumeType="gp2")
    ec2.modify_volume(VolumeId=disk, VolumeType="gp3")

    found = volume(ec2, disk)
    assert (found["VolumeType"], found["Iops"], found["Throughput"]) == ("gp3", 3000, 125)


def test_volumes_are_found_by_what_terraform_and_the_wrapper_ask(ec2: Any) -> None:
    mine = make(ec2, TagSpecifications=tagged("volume", clouds_of="mine"))
    make(ec2, AvailabilityZone="us-east-1b", VolumeType="gp2", Size=8)
    instance = machine(ec2, state="stopped")
    attach(ec2, mine, instance)
    mapping = {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[mapping])

    for name, value in {
        "attachment.delete-on-termination": "true",
        "attachment.device": "/dev/sdf",
        "attachment.status": "attached",
        "tag-key": "clouds:of",
        "tag:clouds:of": "mi*",
        "volume-id": mine,
    }.items():
        found = ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]
        assert [one["VolumeId"] for one in found if one["Size"] == 50] == [mine], name
    for name, value, count in (
        ("attachment.instance-id", instance, 2),
        ("availability-zone", ZONE, 2),
        ("size", "8", 2),
        ("status", "available", 1),
        ("status", "in-use", 2),
        ("volume-type", "gp2", 1),
    ):
        found = ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]
        assert len(found) == count, (name, value)


def test_tags_go_with_what_they_were_on(ec2: Any) -> None:
    disk = make(ec2, TagSpecifications=tagged("volume", of="mine"))
    copy = completed(
        ec2,
        ec2.create_snapshot(VolumeId=disk, TagSpecifications=tagged("snapshot", of="mine"))[
            "SnapshotId"
        ],
    )
    assert len(ec2.describe_tags()["Tags"]) == 2

    ec2.delete_volume(VolumeId=disk)
    ec2.delete_snapshot(SnapshotId=copy)

    assert ec2.describe_tags()["Tags"] == []
