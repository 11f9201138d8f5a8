"""Volumes and snapshots of the embedded EC2, as its API tells of them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.local_api import Machines, describe, refusal, run, wait_for
from wrapper.errors import LocalError
from wrapper.local.api import imaginary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account

ZONE = "us-east-1a"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    monkeypatch.setattr(imaginary, "TRANSITION_SECONDS", 0.05)
    return Machines()


@pytest.fixture
def account(machines: Machines) -> Iterator[Account]:
    with served(machines) as account:
        yield account


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client()


def make(ec2: Any, **asked: Any) -> str:
    wanted = {"AvailabilityZone": ZONE, "Size": 50, "VolumeType": "gp3", **asked}
    return str(ec2.create_volume(**wanted)["VolumeId"])


def volume(ec2: Any, volume_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    return found


def snapshot(ec2: Any, snapshot_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    return found


def modification(ec2: Any, volume_id: str) -> dict[str, Any]:
    found = ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"]
    (told,) = found
    return dict(told)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def machine(ec2: Any, *, state: str = "running", zone: str = ZONE) -> str:
    instance = run(ec2, Placement={"AvailabilityZone": zone})
    wait_for(ec2, instance, "running")
    if state == "stopped":
        ec2.stop_instances(InstanceIds=[instance])
        wait_for(ec2, instance, "stopped")
    return instance


def attach(ec2: Any, volume_id: str, instance: str, device: str = "/dev/sdf") -> None:
    ec2.attach_volume(VolumeId=volume_id, InstanceId=instance, Device=device)
    until(lambda: attachment(ec2, volume_id) == "attached")


def attachment(ec2: Any, volume_id: str) -> str | None:
    found = volume(ec2, volume_id)["Attachments"]
    return str(found[0]["State"]) if found else None


def completed(ec2: Any, snapshot_id: str) -> str:
    until(lambda: snapshot(ec2, snapshot_id)["State"] == "completed")
    return snapshot_id


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


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    pairs = [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": pairs}]


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
