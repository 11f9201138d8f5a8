"""Launches on the embedded EC2: what is refused, and what the machine is told."""

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
    machines,
    refusal,
    run,
)

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"InstanceType": "t9.large"}, "InvalidParameterValue", "Invalid value 't9.large'"),
        ({"InstanceType": "t4g.large"}, "InvalidParameterValue", "does not match"),
        ({"ImageId": "ami-" + "0" * 17}, "InvalidAMIID.NotFound", "does not exist"),
        (
            {"Placement": {"AvailabilityZone": "us-east-1e"}},
            "Unsupported",
            "choosing us-east-1a, us-east-1b",
        ),
        ({"UserData": "x" * 16385}, "InvalidParameterValue", "limited to 16384 bytes"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound", "nobody"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 4}}]},
            "InvalidBlockDeviceMapping",
            "expect size >= 8GB",
        ),
    ],
)
def test_a_launch_that_ec2_would_refuse_is_refused(
    ec2: Any, machines: Machines, request_: dict[str, Any], code: str, words: str
) -> None:
    answered, message = refusal(lambda: run(ec2, **request_))

    assert answered == code
    assert words in message
    assert machines.specs == {}


def test_sixteen_kilobytes_of_user_data_are_taken_as_they_are(ec2: Any, machines: Machines) -> None:
    instance = run(ec2, UserData=bytes(16384))

    assert machines.specs[instance].user_data == bytes(16384)


def test_a_host_that_refuses_leaves_no_instance_behind(ec2: Any, machines: Machines) -> None:
    machines.full = True

    code, message = refusal(lambda: run(ec2))

    assert code == "InsufficientHostCapacity"
    assert "disk of this computer is full" in message
    assert ec2.describe_volumes()["Volumes"] == []
    states = [
        one["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    ]
    assert states in ([], ["terminated"])


def test_the_machine_is_told_all_that_it_has_to_know(ec2: Any, machines: Machines) -> None:
    key = ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    instance = run(ec2, BlockDeviceMappings=[ROOT], KeyName="mine", UserData="#cloud-config\n")

    spec, shown = machines.specs[instance], describe(ec2, instance)
    assert key["KeyName"] == "mine"
    assert spec.user_data == b"#cloud-config\n"
    assert spec.public_keys[0].startswith("ssh-ed25519 AAAA")
    assert spec.memory_mib == 8192
    assert spec.root_gib == 30
    assert (spec.region, spec.architecture) == ("us-east-1", "x86_64")
    assert spec.zone == shown["Placement"]["AvailabilityZone"]
    assert spec.private_ip == shown["PrivateIpAddress"]
    assert spec.mac == shown["NetworkInterfaces"][0]["MacAddress"]
    assert spec.public_ip == shown["PublicIpAddress"]
    assert spec.lifecycle == "on-demand"


def test_the_disk_is_the_images_with_what_was_asked_for_laid_over_it(ec2: Any) -> None:
    run(ec2, BlockDeviceMappings=[ROOT])

    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (30, "gp3", True)
    assert (volume["Iops"], volume["Throughput"]) == (3000, 125)
    assert volume["Attachments"][0]["Device"] == "/dev/sda1"
    assert volume["Attachments"][0]["DeleteOnTermination"] is True


def test_imdsv2_is_required_where_the_image_says_so_and_can_be_set_later(ec2: Any) -> None:
    said = run(ec2)
    older = run(ec2, ImageId=image(ec2, "debian-12-amd64-*"))

    assert describe(ec2, said)["MetadataOptions"]["HttpTokens"] == "required"
    assert describe(ec2, older)["MetadataOptions"]["HttpTokens"] == "optional"

    ec2.modify_instance_metadata_options(InstanceId=older, HttpTokens="required")

    options = describe(ec2, older)["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpEndpoint"] == "enabled"
