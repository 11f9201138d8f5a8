"""The roles of machines: by an instance profile, at the metadata, and at the door to S3."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.ec2 import served
from wrapper.local import credentials
from wrapper.local.api.imaginary import ImaginaryMachines
from wrapper.local.gateway import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ec2 import Account

BUCKET = "bucket-of-a-role"
POLICY = [
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{BUCKET}",
        "Condition": {"StringLike": {"s3:prefix": ["mine/*"]}},
    },
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
        "Resource": f"arn:aws:s3:::{BUCKET}/mine/*",
    },
]


@dataclass
class World:
    """An account with a bucket, and a role for a part of it."""

    account: Account
    machines: ImaginaryMachines
    door: str

    @property
    def ec2(self) -> Any:
        return self.account.client()

    def launch(self, **how: Any) -> str:
        image = self.ec2.describe_images()["Images"][0]
        kind = {"x86_64": "t3.large", "arm64": "t4g.large"}[image["Architecture"]]
        asked = {"ImageId": image["ImageId"], "InstanceType": kind, "MinCount": 1, "MaxCount": 1}
        made = self.ec2.run_instances(**asked, **how)
        return str(made["Instances"][0]["InstanceId"])

    def s3(self, key: str, secret: str, token: str) -> Any:
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.door,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def as_the_machine(self, instance_id: str) -> Any:
        role = self.machines.roles[instance_id]
        assert role
        given = credentials.issue(role)
        return self.s3(given.key, given.secret, given.token)


@pytest.fixture
def world() -> Iterator[World]:
    machines = ImaginaryMachines()
    with served(machines) as account:
        iam, owner = account.client(service="iam"), account.client(service="s3")
        iam.create_role(RoleName="of-the-machine", AssumeRolePolicyDocument="{}")
        text = json.dumps({"Version": "2012-10-17", "Statement": POLICY})
        iam.put_role_policy(RoleName="of-the-machine", PolicyName="p", PolicyDocument=text)
        iam.create_instance_profile(InstanceProfileName="profile")
        iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="of-the-machine")
        for bucket in (BUCKET, "another-bucket"):
            owner.create_bucket(Bucket=bucket)
        owner.put_object(Bucket=BUCKET, Key="mine/a", Body=b"a")
        owner.put_object(Bucket=BUCKET, Key="minefield/b", Body=b"b")
        listening = socket.create_server(("127.0.0.1", 0))
        server = serve(listening, lambda _: None, account.services)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        yield World(account, machines, f"http://127.0.0.1:{listening.getsockname()[1]}")
        server.shutdown()
        thread.join()
        server.server_close()
        for bucket in (BUCKET, "another-bucket"):  # the process has one name space for all
            for one in owner.list_objects_v2(Bucket=bucket).get("Contents", []):
                owner.delete_object(Bucket=bucket, Key=one["Key"])
            owner.delete_bucket(Bucket=bucket)


WITH = {"IamInstanceProfile": {"Name": "profile"}}


def test_a_machine_has_the_role_of_its_profile(world: World) -> None:
    has, has_not = world.launch(**WITH), world.launch()

    role = world.machines.roles[has]
    assert role
    assert role.name == "of-the-machine"
    assert world.machines.roles.get(has_not) is None
    shown = world.ec2.describe_instances(InstanceIds=[has])["Reservations"][0]["Instances"][0]
    assert shown["IamInstanceProfile"]["Arn"] == role.profile_arn


def test_so_has_the_machine_of_a_spot_request(world: World) -> None:
    image = world.ec2.describe_images()["Images"][0]
    kind = {"x86_64": "t3.large", "arm64": "t4g.large"}[image["Architecture"]]
    said = {"ImageId": image["ImageId"], "InstanceType": kind, **WITH}
    world.ec2.request_spot_instances(LaunchSpecification=said)

    requests = world.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]

    world.ec2.describe_instances()
    assert world.machines.roles[requests[0]["InstanceId"]]


@pytest.mark.parametrize("profile", [{"Name": "absent"}, {"Arn": "arn:aws:iam::1:x"}])
def test_a_profile_that_is_not_there_yet_is_refused_as_ec2_does(
    world: World, profile: dict[str, str]
) -> None:
    # The provider tries again at these very words.
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile"):
        world.launch(IamInstanceProfile=profile)


def test_a_running_machine_gets_and_loses_its_role(world: World) -> None:
    instance_id = world.launch()
    made = world.ec2.associate_iam_instance_profile(
        InstanceId=instance_id, IamInstanceProfile={"Name": "profile"}
    )["IamInstanceProfileAssociation"]
    assert world.machines.roles[instance_id]

    world.ec2.disassociate_iam_instance_profile(AssociationId=made["AssociationId"])

    assert world.machines.roles[instance_id] is None


def test_the_role_reads_and_writes_below_its_prefix(world: World) -> None:
    s3 = world.as_the_machine(world.launch(**WITH))

    s3.put_object(Bucket=BUCKET, Key="mine/of the machine", Body=b"new")
    s3.delete_object(Bucket=BUCKET, Key="mine/a")

    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="mine/")["Contents"]
    assert [one["Key"] for one in found] == ["mine/of the machine"]
    owner = world.account.client(service="s3")
    assert owner.get_object(Bucket=BUCKET, Key="mine/of the machine")["Body"].read() == b"new"


def test_the_role_uploads_in_parts(world: World) -> None:
    s3 = world.as_the_machine(world.launch(**WITH))
    where = {"Bucket": BUCKET, "Key": "mine/large"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"part")

    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)

    assert s3.get_object(**where)["Body"].read() == b"part"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("list_objects_v2", {"Bucket": BUCKET}),
        ("list_objects_v2", {"Bucket": BUCKET, "Prefix": "mine"}),
        ("list_objects_v2", {"Bucket": "another-bucket", "Prefix": "mine/"}),
        ("list_objects_v2", {"Bucket": "no-such-bucket", "Prefix": "mine/"}),
        ("get_object", {"Bucket": BUCKET, "Key": "minefield/b"}),
        ("get_object", {"Bucket": "another-bucket", "Key": "mine/a"}),
        ("put_object", {"Bucket": BUCKET, "Key": "elsewhere", "Body": b""}),
        (
            "copy_object",
            {
                "Bucket": BUCKET,
                "Key": "mine/copy",
                "CopySource": {"Bucket": BUCKET, "Key": "minefield/b"},
            },
        ),
        ("create_bucket", {"Bucket": "of-its-own"}),
        ("get_bucket_policy", {"Bucket": BUCKET}),
        ("list_buckets", {}),
    ],
)
def test_the_role_does_nothing_else(world: World, call: str, arguments: dict[str, Any]) -> None:
    s3 = world.as_the_machine(world.launch(**WITH))

    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(s3, call)(**arguments)


@pytest.mark.parametrize("wrong", ["key", "secret", "token"])
def test_nobody_but_the_role_gets_in(world: World, wrong: str) -> None:
    role = world.machines.roles[world.launch(**WITH)]
    assert role
    given = credentials.issue(role)
    said = {"key": given.key, "secret": given.secret, "token": given.token, wrong: "forged"}

    with pytest.raises(ClientError, match="AccessDenied"):
        world.s3(**said).get_object(Bucket=BUCKET, Key="mine/a")


def test_a_right_that_was_taken_is_gone_at_once(world: World) -> None:
    s3 = world.as_the_machine(world.launch(**WITH))
    assert s3.get_object(Bucket=BUCKET, Key="mine/a")

    iam = world.account.client(service="iam")
    iam.delete_role_policy(RoleName="of-the-machine", PolicyName="p")

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=BUCKET, Key="mine/a")


def test_a_large_object_has_its_digest_whoever_looks_meanwhile(world: World) -> None:
    # rclone takes another digest for a damaged transfer, and sends it again.
    s3, owner = world.as_the_machine(world.launch(**WITH)), world.account.client(service="s3")
    body = os.urandom(20 << 20)
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            owner.list_objects_v2(Bucket=BUCKET)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        etags = {
            s3.put_object(Bucket=BUCKET, Key=f"mine/{number}", Body=body)["ETag"]
            for number in range(4)
        }
    finally:
        stop.set()
        looking.join()
    assert etags == {f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'}
