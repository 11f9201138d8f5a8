from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.fleet import fulfilled, launch, request_spot, tags
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from wrapper.aws import Aws


def litter(ec2: EC2Client, name: str) -> dict[str, str]:
    """One of everything that a deployment can leave behind, and somebody else's group."""
    group = ec2.create_security_group(
        GroupName=f"{name}-group", Description="x", TagSpecifications=tags(name, "security-group")
    )["GroupId"]
    foreign = ec2.create_security_group(GroupName=f"{name}-foreign", Description="x")["GroupId"]
    rules = [
        ec2.authorize_security_group_ingress(
            GroupId=target,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 9999,
                    "ToPort": 9999,
                    "IpRanges": [{"CidrIp": "203.0.113.7/32"}],
                }
            ],
            TagSpecifications=tags(name, "security-group-rule"),
        )["SecurityGroupRules"][0].get("SecurityGroupRuleId")
        for target in (group, foreign)
    ]
    subnet = ec2.describe_subnets()["Subnets"][0]
    interface = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]
    # moto leaves the tags out that CreateNetworkInterface is given.
    ec2.create_tags(
        Resources=[str(interface.get("NetworkInterfaceId"))],
        Tags=tags(name, "network-interface")[0]["Tags"],
    )
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=1,
        VolumeType="gp3",
        TagSpecifications=tags(name, "volume"),
    )
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
    key = ec2.create_key_pair(KeyName=f"{name}-key", TagSpecifications=tags(name, "key-pair"))
    return {
        "instance": launch(ec2, name),
        "address": address["AllocationId"],
        "volume": volume["VolumeId"],
        "interface": str(interface.get("NetworkInterfaceId")),
        "rule": str(rules[1]),
        "group": group,
        "key-pair": str(key["KeyPairId"]),
    }


def test_everything_left_is_found_in_an_order_in_which_it_can_be_removed(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    left = litter(ec2, name)
    request_id = request_spot(ec2, name)
    fulfilled(ec2, request_id)
    ec2.associate_address(AllocationId=left["address"], InstanceId=left["instance"])
    found = aws.leftovers(name)
    assert {one.id for one in found} >= {request_id, *left.values()}
    assert all(one.detail for one in found)
    for one in found:
        aws.remove(one)
    assert aws.leftovers(name) == []
    for one in found:
        aws.remove(one)


def test_the_details_say_what_a_person_wants_to_know(aws: Aws, ec2: EC2Client, name: str) -> None:
    left = litter(ec2, name)
    details = {one.kind: one.detail for one in aws.leftovers(name) if one.id in left.values()}
    assert details["instance"] == "t3.large, running"
    assert details["volume"] == "1 GiB, available"
    assert details["rule"].startswith("ingress tcp 9999-9999 in sg-")
    assert details["group"] == f"{name}-group"
    assert details["key-pair"] == f"{name}-key"
    for one in aws.leftovers(name):
        aws.remove(one)


def test_a_group_that_something_holds_is_given_up_in_words(
    aws: Aws, ec2: EC2Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.aws.leftovers._MINUTES", 0.01)
    ec2.create_security_group(
        GroupName=name, Description="x", TagSpecifications=tags(name, "security-group")
    )
    (group,) = aws.leftovers(name)
    held_by = launch(ec2, f"{name}-another", SecurityGroupIds=[group.id])
    with pytest.raises(AwsError, match=rf"Gave up .*the group {group.id} is still in use"):
        aws.remove(group)
    aws.end_machines(name, instance_ids=[held_by])
    aws.remove(group)
    assert aws.leftovers(name) == []
