"""Machines and requests on the embedded EC2's API, made as Terraform and EC2 make them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account


def tags(name: str, kind: str) -> list[Any]:
    pairs = {"jupyter-clouds:deployment": name, "Name": f"jupyter-clouds-{name}"}
    return [
        {
            "ResourceType": kind,
            "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
        }
    ]


def image(ec2: EC2Client) -> str:
    images = ec2.describe_images(Owners=["099720109477"])["Images"]
    return next(str(one.get("ImageId")) for one in images if one.get("Architecture") == "x86_64")


def launch(ec2: EC2Client, name: str, **more: Any) -> str:
    """An on-demand machine as Terraform makes it, tagged from the first moment on."""
    made = ec2.run_instances(
        ImageId=image(ec2),
        InstanceType="t3.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tags(name, "instance"),
        **more,
    )["Instances"][0]
    until(lambda: state(ec2, made["InstanceId"]) == "running")
    return made["InstanceId"]


def request_spot(ec2: EC2Client, name: str | None) -> str:
    """A persistent request; like EC2, it tags the request only, and not what comes of it."""
    tagged: dict[str, Any] = (
        {"TagSpecifications": tags(name, "spot-instances-request")} if name else {}
    )
    made = ec2.request_spot_instances(
        Type="persistent",
        InstanceInterruptionBehavior="stop",
        LaunchSpecification={"ImageId": image(ec2), "InstanceType": "t3.large"},
        **tagged,
    )["SpotInstanceRequests"][0]
    return str(made.get("SpotInstanceRequestId"))


def fulfilled(ec2: EC2Client, request_id: str) -> str:
    def instance() -> str | None:
        found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request_id])
        return found["SpotInstanceRequests"][0].get("InstanceId")

    until(lambda: instance() is not None and state(ec2, str(instance())) == "running")
    return str(instance())


def state(ec2: EC2Client, instance_id: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance_id])
    return found["Reservations"][0].get("Instances", [])[0]["State"]["Name"]


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "gave up waiting"
        time.sleep(0.1)


def data_volume(
    ec2: EC2Client,
    name: str,
    machine: str | None = None,
    *,
    gib: int = 50,
    architecture: str | None = None,
) -> str:
    """A volume that holds the deployment's data, as Terraform makes and attaches it."""
    zone = _zone(ec2, machine) if machine else "us-east-1a"
    tagged = tags(name, "volume")
    tagged[0]["Tags"].append({"Key": "jupyter-clouds:data-of", "Value": name})
    if architecture:
        tagged[0]["Tags"].append({"Key": "jupyter-clouds:architecture", "Value": architecture})
    made = ec2.create_volume(
        AvailabilityZone=zone, Size=gib, VolumeType="gp3", Encrypted=True, TagSpecifications=tagged
    )["VolumeId"]
    if machine:
        ec2.attach_volume(VolumeId=made, InstanceId=machine, Device="/dev/sdf")
    return made


def _zone(ec2: EC2Client, machine: str) -> str:
    found = ec2.describe_instances(InstanceIds=[machine])
    instance = found["Reservations"][0].get("Instances", [])[0]
    return str(instance.get("Placement", {}).get("AvailabilityZone"))


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
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=role, PolicyName="bucket", PolicyDocument=text)
    iam.create_instance_profile(InstanceProfileName=role, Path=path)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    return role
