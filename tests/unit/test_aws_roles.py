"""A machine's role and bucket, for it and among what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.fleet import bucket_of, launch, role_of
from wrapper.aws.model import Leftover
from wrapper.errors import RequestError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws


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
