"""What a deployment has left in its account, found and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.fleet import bucket_of, fulfilled, launch, request_spot, role_of, tags
from tests.unit.records import in_a_zone, lead, leads, proofs, prove
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws


def litter(account: Account, ec2: EC2Client, name: str) -> dict[str, str]:
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
        "bucket": bucket_of(account, name),
        "instance": launch(ec2, name),
        "address": address["AllocationId"],
        "volume": volume["VolumeId"],
        "interface": str(interface.get("NetworkInterfaceId")),
        "rule": str(rules[1]),
        "group": group,
        "key-pair": str(key["KeyPairId"]),
        "role": role_of(account, name),
    }


def test_everything_left_is_found_in_an_order_in_which_it_can_be_removed(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    left = litter(account, ec2, name)
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


def test_the_details_say_what_a_person_wants_to_know(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    left = litter(account, ec2, name)
    details = {one.kind: one.detail for one in aws.leftovers(name) if one.id in left.values()}
    assert details["instance"] == "t3.large, running"
    assert details["volume"] == "1 GiB, available"
    assert details["rule"].startswith("ingress tcp 9999-9999 in sg-")
    assert details["group"] == f"{name}-group"
    assert details["key-pair"] == f"{name}-key"
    for one in aws.leftovers(name):
        aws.remove(one)


def test_a_group_that_something_holds_is_given_up_in_words(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    ec2.create_security_group(
        GroupName=name, Description="x", TagSpecifications=tags(name, "security-group")
    )
    (group,) = aws.leftovers(name)
    held_by = launch(ec2, f"{name}-another", SecurityGroupIds=[group.id])
    with pytest.raises(AwsError, match=rf"Gave up .*the group {group.id} is still in use"):
        aws.remove(group, seconds=0.5)
    aws.end_machines(name, instance_ids=[held_by])
    aws.remove(group)
    assert aws.leftovers(name) == []


def test_a_record_is_found_by_its_address_and_goes_before_it(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    route53, zone, address = in_a_zone(account, ec2, name)
    lead(route53, zone, f"other-{name}", "192.0.2.1")
    assert [one.kind for one in aws.leftovers(name)] == ["address"], "none was made so far"
    lead(route53, zone, name, "192.0.2.1")
    assert [one.kind for one in aws.leftovers(name)] == ["address"], "it leads elsewhere"
    lead(route53, zone, name, address)
    left = aws.leftovers(name)
    assert [(one.kind, one.detail) for one in left] == [("record", address), ("address", address)]
    for one in (*left, left[0]):
        aws.remove(one)
    assert aws.leftovers(name) == []
    assert leads(route53, zone) == [f"other-{name}.example.org."]


def test_what_a_machine_has_left_in_the_zone_is_removed_and_nothing_of_others(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    route53, zone = prove(account, ec2, name)
    assert [one.kind for one in aws.leftovers(name)] == ["challenge", "address"]
    (left,) = aws.find_challenges(name)
    assert left.id == f"_acme-challenge.{name}.example.org"
    for _ in range(2):
        aws.remove(left)
    assert proofs(route53, zone) == [f"_acme-challenge.other-{name}.example.org."]
    assert aws.find_challenges(name) == []
    for one in aws.leftovers(name):
        aws.remove(one)


def test_a_record_that_may_not_be_removed_is_told_with_its_zone(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    _, zone, address = in_a_zone(account, ec2, name)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListResourceRecordSets")

    events = aws._account.route53.meta.events
    events.register("before-call.route-53.ListResourceRecordSets", refuse)
    try:
        [record, left] = aws.leftovers(name)
        with pytest.raises(AwsError, match=f"still leads to {address}.*{zone}"):
            aws.remove(record)
    finally:
        events.unregister("before-call.route-53.ListResourceRecordSets", refuse)
    assert [one.kind for one in aws.leftovers(name)] == ["address"]
    aws.remove(left)


def test_a_zone_that_has_gone_hides_nothing(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    route53, zone, _ = in_a_zone(account, ec2, name)
    route53.delete_hosted_zone(Id=zone)
    [left] = aws.leftovers(name)
    assert left.kind == "address"
    aws.remove(left)
