from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.fleet import fulfilled, launch, request_spot, tags
from wrapper.aws.model import Leftover
from wrapper.errors import AwsError, RequestError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws


ALLOWED = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}


def bucket_of(account: Account, name: str, tagged: str | None = None) -> str:
    """A bucket as the module makes it, with one object in two versions."""
    s3, bucket = account.client(service="s3"), f"jupyter-clouds-{name}-0123456789ab"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="programs.json", Body=body)
    tag = {"Key": "jupyter-clouds:deployment", "Value": tagged or name}
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [tag]})
    return bucket


def role_of(account: Account, name: str, region: str = "us-east-1") -> str:
    """A role as the module makes it, with its instance profile and rights."""
    iam, role = account.client(service="iam"), f"jupyter-clouds-machine-{name}-0123abcd"
    role = role if region == "us-east-1" else role.replace("0123", "4567")
    path = f"/jupyter-clouds/{region}/"
    iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument="{}")
    text = json.dumps({"Version": "2012-10-17", "Statement": [ALLOWED]})
    iam.put_role_policy(RoleName=role, PolicyName="bucket", PolicyDocument=text)
    iam.create_instance_profile(InstanceProfileName=role, Path=path)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    return role


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


@pytest.mark.parametrize(
    ("code", "operation"),
    [("AccessDenied", "list_buckets"), ("NoSuchBucket", "get_bucket_tagging")],
)
def test_buckets_that_cannot_be_seen_are_no_failure(
    aws: Aws, account: Account, name: str, code: str, operation: str
) -> None:
    bucket = bucket_of(account, name)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}}, operation)

    # By the client's own hook, before anything is sent.
    events = aws._account.s3.meta.events
    event = f"before-call.s3.{'ListBuckets' if 'list' in operation else 'GetBucketTagging'}"
    events.register(event, refuse)
    try:
        assert aws.leftovers(name) == []
    finally:
        events.unregister(event, refuse)
    aws.remove(Leftover("bucket", bucket, ""))


def test_a_bucket_that_was_not_tagged_yet_is_found_by_its_name(
    aws: Aws, account: Account, name: str
) -> None:
    s3 = account.client(service="s3")
    half, longer = (f"jupyter-clouds-{name}{more}-0123456789ab" for more in ("", "-two"))
    for one in (half, longer):
        s3.create_bucket(Bucket=one)
    assert [one.id for one in aws.find_buckets(name)] == [half]
    for one in (half, longer):
        aws.remove(Leftover("bucket", one, ""))


def test_a_bucket_of_another_deployment_is_left_alone(
    aws: Aws, account: Account, name: str
) -> None:
    own, other = bucket_of(account, name), bucket_of(account, f"{name}-two")
    # Named as ours would be, and not ours.
    foreign = bucket_of(account, f"{name}-x", tagged="somebody")

    assert [one.id for one in aws.leftovers(name)] == [own]

    s3 = account.client(service="s3")
    for one in (Leftover("bucket", bucket, "") for bucket in (own, other, foreign, own)):
        aws.remove(one)
    left = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert not left & {own, other, foreign}


def test_a_role_of_another_deployment_or_region_is_left_alone(
    aws: Aws, account: Account, name: str
) -> None:
    own = role_of(account, name)
    role_of(account, f"{name}-0123abcd")
    role_of(account, name, "eu-west-1")
    iam = account.client(service="iam")
    iam.create_role(RoleName=f"{name}-of-somebody", AssumeRolePolicyDocument="{}")

    found = aws.leftovers(name)
    assert [one.id for one in found] == [own]
    assert {name, f"{name}-0123abcd"} <= set(aws.names())
    aws.remove(found[0])

    assert aws.leftovers(name) == []
    left = {one["RoleName"] for one in iam.list_roles()["Roles"]}
    assert left >= {f"{own}-0123abcd", own.replace("0123", "4567"), f"{name}-of-somebody"}


def test_roles_that_may_not_be_seen_are_no_failure(aws: Aws, account: Account, name: str) -> None:
    role = role_of(account, name)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListRoles")

    events = aws._account.iam.meta.events
    events.register("before-call.iam.ListRoles", refuse)
    try:
        assert aws.leftovers(name) == []
    finally:
        events.unregister("before-call.iam.ListRoles", refuse)
    aws.remove(Leftover("role", role, ""))


def test_a_running_machine_gets_its_role_once(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    role, machine = role_of(account, name), launch(ec2, name)

    assert aws.give_profile(machine, role) is True
    assert aws.give_profile(machine, role) is False

    (made,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert made.get("InstanceId") == machine
    aws.end_machines(name, instance_ids=[machine])
    aws.remove(Leftover("role", role, ""))


def test_a_role_that_ec2_has_not_heard_of_yet_is_waited_for(
    aws: Aws, account: Account, ec2: EC2Client, name: str
) -> None:
    role, machine = role_of(account, name), launch(ec2, name)
    refused: list[bool] = []

    def refuse(**_: Any) -> None:
        if not refused:
            refused.append(True)
            message = f"Value ({role}) is invalid. Invalid IAM Instance Profile name"
            raise ClientError(
                {"Error": {"Code": "InvalidParameterValue", "Message": message}},
                "AssociateIamInstanceProfile",
            )

    events = aws._account.ec2.meta.events
    events.register("before-call.ec2.AssociateIamInstanceProfile", refuse)
    try:
        assert aws.give_profile(machine, role) is True
    finally:
        events.unregister("before-call.ec2.AssociateIamInstanceProfile", refuse)
    assert refused
    aws.end_machines(name, instance_ids=[machine])
    aws.remove(Leftover("role", role, ""))


def in_a_zone(account: Account, ec2: EC2Client, name: str) -> tuple[Any, str, str]:
    """Route 53, the zone of example.org, and the address of name.example.org in it."""
    route53 = account.client(service="route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference=name)["HostedZone"]["Id"]
    zone = zone.rpartition("/")[2]
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
    told = f"{zone}/{name}.example.org"
    ec2.create_tags(
        Resources=[made["AllocationId"]], Tags=[{"Key": "jupyter-clouds:record", "Value": told}]
    )
    return route53, zone, made["PublicIp"]


def lead(route53: Any, zone: str, name: str, address: str) -> None:
    records = {"TTL": 60, "ResourceRecords": [{"Value": address}]}
    made = {"Name": f"{name}.example.org", "Type": "A", **records}
    change = {"Action": "UPSERT", "ResourceRecordSet": made}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def leads(route53: Any, zone: str) -> list[str]:
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [one["Name"] for one in sets if one["Type"] == "A"]


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


def test_a_bucket_for_the_machine_has_to_be_there(aws: Aws, account: Account, name: str) -> None:
    bucket = bucket_of(account, name)

    assert aws.check_bucket(f"{bucket}/prefix") is None
    with pytest.raises(RequestError, match="There is no bucket absent-bucket"):
        aws.check_bucket("absent-bucket/prefix")
    aws.remove(Leftover("bucket", bucket, ""))


def test_a_bucket_that_may_not_be_looked_into_costs_a_warning(aws: Aws) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403"}}, "HeadBucket")

    events = aws._account.s3.meta.events
    events.register("before-call.s3.HeadBucket", refuse)
    try:
        assert "may not look into the bucket somebodys" in str(aws.check_bucket("somebodys"))
    finally:
        events.unregister("before-call.s3.HeadBucket", refuse)
