"""Images made of machines, as the embedded EC2's API tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local_api import (
    ROOT,
    Machines,
    account,
    describe,
    ec2,
    image,
    refusal,
    request,
    run,
    wait_for,
)
from wrapper.local.api import imaginary

__all__ = ["account", "ec2"]  # fixtures, for pytest to find here

TAGS = [
    {"ResourceType": kind, "Tags": [{"Key": "of", "Value": "notebook"}]}
    for kind in ("image", "snapshot")
]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    monkeypatch.setattr(imaginary, "TRANSITION_SECONDS", 0.05)
    monkeypatch.setattr(imaginary, "COPY_SECONDS", 0.05)
    return Machines()


def machine(ec2: Any, **asked: Any) -> str:
    instance = run(ec2, **{"BlockDeviceMappings": [ROOT], **asked})
    wait_for(ec2, instance, "running")
    return instance


def told(ec2: Any, image_id: str) -> Any:
    return ec2.describe_images(ImageIds=[image_id])["Images"][0]


def make(ec2: Any, instance: str, name: str = "mine", **asked: Any) -> str:
    made = ec2.create_image(InstanceId=instance, Name=name, NoReboot=True, **asked)["ImageId"]
    ec2.get_waiter("image_available").wait(
        ImageIds=[made], WaiterConfig={"Delay": 0, "MaxAttempts": 1000}
    )
    return str(made)


def snapshot_of(ec2: Any, image_id: str) -> str:
    return str(told(ec2, image_id)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def test_an_image_is_pending_until_its_blocks_are_copied(
    ec2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = machine(ec2)
    monkeypatch.setattr(imaginary, "COPY_SECONDS", 3600)
    made = ec2.create_image(InstanceId=instance, Name="mine", NoReboot=True)["ImageId"]
    assert told(ec2, made)["State"] == "pending"
    assert refusal(lambda: run(ec2, ImageId=made))[0] == "InvalidAMIID.Unavailable"
    monkeypatch.setattr(imaginary, "COPY_SECONDS", 0.001)
    assert told(ec2, made)["State"] == "available"


def test_it_tells_of_its_machine_and_of_the_disk(ec2: Any) -> None:
    instance = machine(ec2)
    found = told(ec2, make(ec2, instance, TagSpecifications=TAGS, Description="two words"))
    assert found["Name"] == "mine"
    assert found["Description"] == "two words"
    assert found["SourceInstanceId"] == instance
    assert found["Architecture"] == "x86_64"
    assert found["OwnerId"] == "123456789012"
    assert found["Tags"] == [{"Key": "of", "Value": "notebook"}]
    disk = found["BlockDeviceMappings"][0]
    assert disk["DeviceName"] == found["RootDeviceName"] == "/dev/sda1"
    assert (disk["Ebs"]["VolumeSize"], disk["Ebs"]["Encrypted"]) == (30, True)
    (copied,) = ec2.describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"]
    assert (copied["VolumeSize"], copied["State"]) == (30, "completed")
    assert copied["Tags"] == [{"Key": "of", "Value": "notebook"}]


def test_found_among_ones_own(ec2: Any) -> None:
    made = make(ec2, machine(ec2), TagSpecifications=TAGS)
    asked = {"Owners": ["self"], "Filters": [{"Name": "tag:of", "Values": ["notebook"]}]}
    assert [one["ImageId"] for one in ec2.describe_images(**asked)["Images"]] == [made]


@pytest.mark.parametrize("market", ["on-demand", "spot"])
def test_a_machine_begins_with_its_blocks(ec2: Any, machines: Machines, market: str) -> None:
    first = machine(ec2)
    made = make(ec2, first)
    if market == "spot":
        wanted = request(ec2, LaunchSpecification={"ImageId": made})
        ids = [wanted]
        found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=ids)
        second = found["SpotInstanceRequests"][0]["InstanceId"]
    else:
        second = machine(ec2, ImageId=made)
    assert machines.specs[second].root_snapshot == snapshot_of(ec2, made)
    assert machines.specs[second].image == machines.specs[first].image
    assert machines.specs[first].root_snapshot is None


def test_the_disk_is_as_large_as_the_images_or_larger(ec2: Any) -> None:
    made = make(ec2, machine(ec2))
    small = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20}}
    code, words = refusal(lambda: run(ec2, ImageId=made, BlockDeviceMappings=[small]))
    assert code == "InvalidBlockDeviceMapping"
    assert "expect size >= 30GB" in words


def test_imdsv2_is_asked_for_once_the_image_says_so(ec2: Any) -> None:
    made = make(ec2, machine(ec2))
    ec2.modify_image_attribute(ImageId=made, ImdsSupport={"Value": "v2.0"})
    assert told(ec2, made)["ImdsSupport"] == "v2.0"
    found = describe(ec2, machine(ec2, ImageId=made))
    assert found["MetadataOptions"]["HttpTokens"] == "required"


def test_the_snapshot_outlives_the_image_and_goes_after_it(ec2: Any, machines: Machines) -> None:
    made = make(ec2, machine(ec2))
    copied = snapshot_of(ec2, made)
    code, words = refusal(lambda: ec2.delete_snapshot(SnapshotId=copied))
    assert (code, made in words) == ("InvalidSnapshot.InUse", True)
    ec2.deregister_image(ImageId=made)
    assert refusal(lambda: run(ec2, ImageId=made))[0].startswith("InvalidAMIID")
    assert copied in machines.blocks.contents
    ec2.delete_snapshot(SnapshotId=copied)
    assert copied not in machines.blocks.contents


def test_both_go_at_once_where_that_is_asked(ec2: Any, machines: Machines) -> None:
    made = make(ec2, machine(ec2))
    copied = snapshot_of(ec2, made)
    answer = ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)
    assert [one["SnapshotId"] for one in answer["DeleteSnapshotResults"]] == [copied]
    assert copied not in machines.blocks.contents


def test_no_volume_is_made_of_a_root_disk(ec2: Any) -> None:
    copied = snapshot_of(ec2, make(ec2, machine(ec2)))
    code, _ = refusal(lambda: ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=copied))
    assert code == "UnsupportedOperation"


def test_a_data_volume_has_to_be_left_out(ec2: Any) -> None:
    instance = machine(ec2)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=5)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    code, words = refusal(lambda: make(ec2, instance))
    assert (code, "/dev/sdf" in words) == ("UnsupportedOperation", True)
    mapping = [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    made = make(ec2, instance, BlockDeviceMappings=mapping)
    assert len(told(ec2, made)["BlockDeviceMappings"]) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"Name": "mine"}, "InvalidAMIName.Duplicate", id="name-taken"),
        pytest.param({"Name": "n" * 129}, "InvalidAMIName.Malformed", id="name-too-long"),
        pytest.param({"Name": "a:b"}, "InvalidAMIName.Malformed", id="name-with-a-colon"),
        pytest.param(
            {"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound", id="no-machine"
        ),
    ],
)
def test_what_cannot_be_imaged(ec2: Any, asked: dict[str, str], code: str) -> None:
    instance = machine(ec2)
    make(ec2, instance)
    wanted = {"InstanceId": instance, "Name": "other", **asked}
    assert refusal(lambda: ec2.create_image(**wanted))[0] == code


def test_a_machine_that_has_ended_gives_no_image(ec2: Any) -> None:
    instance = machine(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")
    assert refusal(lambda: make(ec2, instance))[0] == "IncorrectState"


def test_somebody_elses_image_is_not_ours_to_deregister(ec2: Any) -> None:
    assert refusal(lambda: ec2.deregister_image(ImageId=image(ec2)))[0] == "AuthFailure"
