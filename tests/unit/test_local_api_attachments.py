"""Which machine has which volume, as the embedded EC2's API tells and allows it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local_api import Machines, account, describe, ec2, refusal, run, wait_for
from tests.unit.local_volumes import (
    ZONE,
    attach,
    attachment,
    machine,
    machines,
    make,
    until,
    volume,
)
from wrapper.errors import LocalError

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


def test_a_volume_is_attached_and_detached_while_the_machine_runs(
    ec2: Any, machines: Machines
) -> None:
    disk, instance = make(ec2), machine(ec2)

    reply = ec2.attach_volume(VolumeId=disk, InstanceId=instance, Device="/dev/sdf")
    assert reply["State"] == "attaching"
    assert volume(ec2, disk)["State"] == "in-use"
    until(lambda: attachment(ec2, disk) == "attached")
    assert machines.blocks.machines == {disk: instance}
    mapping = describe(ec2, instance)["BlockDeviceMappings"][-1]
    assert mapping["DeviceName"] == "/dev/sdf"
    assert (mapping["Ebs"]["VolumeId"], mapping["Ebs"]["Status"]) == (disk, "attached")
    assert mapping["Ebs"]["DeleteOnTermination"] is False

    assert ec2.detach_volume(VolumeId=disk)["State"] == "detaching"
    assert attachment(ec2, disk) is None
    assert volume(ec2, disk)["State"] == "available"
    assert len(describe(ec2, instance)["BlockDeviceMappings"]) == 1
    assert machines.blocks.machines == {}


REFUSED_ATTACHMENTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another zone": ({"zone": "us-east-1b"}, {}, "InvalidVolume.ZoneMismatch"),
    "no device name": ({}, {"Device": "disk"}, "InvalidParameterValue"),
    "a device name that is taken": ({}, {"Device": "/dev/sda1"}, "InvalidParameterValue"),
    "no such volume": ({}, {"VolumeId": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
    "no such instance": ({}, {"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
    "no volume's id": ({}, {"VolumeId": "disk"}, "InvalidVolumeID.Malformed"),
}


@pytest.mark.parametrize("case", REFUSED_ATTACHMENTS)
def test_an_attachment_that_cannot_be_is_refused(ec2: Any, case: str) -> None:
    where, other, code = REFUSED_ATTACHMENTS[case]
    disk, instance = make(ec2), machine(ec2, **where)
    asked = {"VolumeId": disk, "InstanceId": instance, "Device": "/dev/sdf", **other}

    assert refusal(lambda: ec2.attach_volume(**asked))[0] == code
    assert volume(ec2, disk)["State"] == "available"


def test_a_pending_machine_and_one_that_is_gone_get_no_volume(ec2: Any, machines: Machines) -> None:
    disk, instance = make(ec2), run(ec2, Placement={"AvailabilityZone": ZONE})
    machines.decided[instance] = "pending"
    asked = {"VolumeId": disk, "InstanceId": instance, "Device": "/dev/sdf"}

    assert refusal(lambda: ec2.attach_volume(**asked)) == (
        "IncorrectState",
        f"Instance '{instance}' is not 'running'.",
    )
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")
    assert refusal(lambda: ec2.attach_volume(**asked))[0] == "IncorrectState"


def test_a_volume_in_use_is_neither_attached_again_nor_deleted(ec2: Any) -> None:
    disk, instance = make(ec2), machine(ec2, state="stopped")
    attach(ec2, disk, instance)
    asked = {"VolumeId": disk, "InstanceId": instance, "Device": "/dev/sdg"}

    assert refusal(lambda: ec2.attach_volume(**asked))[0] == "VolumeInUse"
    assert refusal(lambda: ec2.delete_volume(VolumeId=disk))[0] == "VolumeInUse"
    ec2.detach_volume(VolumeId=disk)
    ec2.delete_volume(VolumeId=disk)
    assert refusal(lambda: volume(ec2, disk))[0] == "InvalidVolume.NotFound"
    assert refusal(lambda: ec2.delete_volume(VolumeId=disk))[0] == "InvalidVolume.NotFound"


def test_a_detachment_of_what_is_not_attached_so_is_refused(ec2: Any) -> None:
    disk, instance, other = make(ec2), machine(ec2, state="stopped"), make(ec2)
    attach(ec2, disk, instance)
    root = describe(ec2, instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def code(**asked: str) -> str:
        return refusal(lambda: ec2.detach_volume(**asked))[0]

    assert code(VolumeId=other) == "IncorrectState"
    assert code(VolumeId=disk, Device="/dev/sdg") == "InvalidAttachment.NotFound"
    assert code(VolumeId=disk, InstanceId="i-0123456789abcdef0") == "InvalidAttachment.NotFound"
    assert code(VolumeId=root) == "OperationNotPermitted"
    assert attachment(ec2, disk) == "attached"


@pytest.mark.parametrize("way", ["unmounted", "forced", "stopped"])
def test_a_mounted_volume_stays_busy_until_it_is(ec2: Any, machines: Machines, way: str) -> None:
    disk, instance = make(ec2), machine(ec2)
    attach(ec2, disk, instance)
    machines.blocks.mounted.add(disk)
    ec2.detach_volume(VolumeId=disk, InstanceId=instance, Device="/dev/sdf")
    assert attachment(ec2, disk) == "busy"
    mapping = describe(ec2, instance)["BlockDeviceMappings"][-1]
    assert mapping["Ebs"]["Status"] == "detaching"
    assert volume(ec2, disk)["State"] == "in-use"
    assert refusal(lambda: ec2.delete_volume(VolumeId=disk))[0] == "VolumeInUse"

    if way == "unmounted":
        machines.blocks.mounted.clear()
    elif way == "forced":
        ec2.detach_volume(VolumeId=disk, Force=True)
    else:
        ec2.stop_instances(InstanceIds=[instance])
    until(lambda: attachment(ec2, disk) is None)


def test_an_attached_volume_stays_through_stops_and_outlives_its_machine(ec2: Any) -> None:
    kept, gone, instance = make(ec2), make(ec2), machine(ec2)
    attach(ec2, kept, instance)
    attach(ec2, gone, instance, "/dev/sdg")
    ec2.modify_instance_attribute(
        InstanceId=instance,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdg", "Ebs": {"DeleteOnTermination": True}}],
    )
    assert volume(ec2, gone)["Attachments"][0]["DeleteOnTermination"] is True
    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    ec2.start_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "running")
    assert attachment(ec2, kept) == "attached"

    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")

    (left,) = ec2.describe_volumes()["Volumes"]
    assert (left["VolumeId"], left["State"]) == (kept, "available")
    attach(ec2, kept, machine(ec2))


def test_volumes_that_a_launch_asks_for_are_real_too(ec2: Any, machines: Machines) -> None:
    mapping = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": True}}
    instance = run(ec2, BlockDeviceMappings=[mapping])
    wait_for(ec2, instance, "running")
    (disk,) = machines.blocks.machines
    assert volume(ec2, disk)["Size"] == machines.blocks.sizes[disk] == 5

    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")

    assert ec2.describe_volumes()["Volumes"] == []
    assert machines.blocks.sizes == {}


@pytest.mark.parametrize(
    ("ebs", "code"),
    [
        ({"VolumeSize": 5, "VolumeType": "gp9"}, "InvalidParameterValue"),
        ({"VolumeSize": 5, "VolumeType": "gp3", "Iops": 1}, "InvalidParameterValue"),
        ({"VolumeType": "gp3"}, "MissingParameter"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
    ],
    ids=["type", "performance", "no size", "no such snapshot"],
)
def test_a_launch_with_a_volume_that_cannot_be_leaves_nothing(
    ec2: Any, machines: Machines, ebs: dict[str, Any], code: str
) -> None:
    mapping = {"DeviceName": "/dev/sdb", "Ebs": ebs}

    assert refusal(lambda: run(ec2, BlockDeviceMappings=[mapping]))[0] == code
    assert ec2.describe_instances()["Reservations"] == []
    assert (machines.specs, machines.blocks.sizes) == ({}, {})


def test_a_launch_whose_volume_finds_no_room_ends_terminated(
    ec2: Any, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LocalError("the disk is full")

    monkeypatch.setattr(machines.blocks, "create_volume", full)
    mapping = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5}}

    said = refusal(lambda: run(ec2, BlockDeviceMappings=[mapping]))

    assert said == ("InsufficientVolumeCapacity", "the disk is full")
    wait_for(ec2, next(iter(machines.specs)), "terminated")
    assert ec2.describe_volumes()["Volumes"] == []
