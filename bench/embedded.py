"""Machines of the embedded EC2 made by its API alone: what everything else is measured against."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3

from scripts import services
from wrapper import console
from wrapper.errors import NoAnswerError
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE = 600  # seconds
TYPE = "t3.medium"
GIB = 50


class Account:
    """The embedded EC2's account, used directly."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        access: dict[str, Any] = {
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "region_name": environment["AWS_REGION"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        }
        self.ec2: Any = boto3.client("ec2", **access)
        self.s3: Any = boto3.client("s3", **access)

    def user_data(self, instance_id: str) -> str:
        """The user data that a machine was booted from, base64 of gzip."""
        reply = self.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        value: str = reply["UserData"]["Value"]
        return value

    def image(self, instance_id: str) -> str:
        """The image that a machine was made of."""
        reply = self.ec2.describe_instances(InstanceIds=[instance_id])
        image: str = reply["Reservations"][0]["Instances"][0]["ImageId"]
        return image

    def machines(self, name: str) -> set[str]:
        """Ids of those that carry the deployment's tag, terminated ones as well."""
        by = [{"Name": "tag:jupyter-clouds:deployment", "Values": [name]}]
        groups = self.ec2.describe_instances(Filters=by)["Reservations"]
        return {one["InstanceId"] for group in groups for one in group["Instances"]}

    def next_machine(self, name: str, before: set[str]) -> str:
        """Id of the next that somebody makes. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := self.machines(name) - before:
                return found.pop()
            time.sleep(0.25)
        raise TimeoutError(f"no machine of {name} after {PATIENCE} s")

    def shown(self, instance_id: str) -> str:
        """What the machine wrote to its console so far."""
        reply = self.ec2.get_console_output(InstanceId=instance_id, Latest=True)
        return str(reply.get("Output", ""))

    @contextlib.contextmanager
    def address(self) -> Iterator[tuple[str, str]]:
        """An Elastic IP and its allocation id, released in the end."""
        reply = self.ec2.allocate_address(Domain="vpc")
        try:
            yield reply["PublicIp"], reply["AllocationId"]
        finally:
            self.ec2.release_address(AllocationId=reply["AllocationId"])

    @contextlib.contextmanager
    def group(self, *ports: int) -> Iterator[str]:
        """A security group that lets these ports in."""
        group: str = self.ec2.create_security_group(
            GroupName=f"bench-{ports}", Description="bench"
        )["GroupId"]
        rules = [
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
            for port in ports
        ]
        try:
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
            yield group
        finally:
            self.ec2.delete_security_group(GroupId=group)

    @contextlib.contextmanager
    def programs(self, user_data: str, address: str) -> Iterator[str]:
        """The user data, told of a bucket of its own that the address may read; gone in the end."""
        found = re.search(r"/([^/]+)/([0-9a-f]{64}\.json)", user_data)
        if found is None:
            raise RuntimeError("the user data names no further programs")
        old, key = found.groups()
        name = f"bench-{secrets.token_hex(6)}"
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{name}/{key}",
            "Condition": {"IpAddress": {"aws:SourceIp": f"{address}/32"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.s3.create_bucket(Bucket=name)
        try:
            self.s3.put_object(Bucket=name, Key=key, Body=services.text().encode())
            self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
            yield user_data.replace(f"/{old}/", f"/{name}/")
        finally:
            self.s3.delete_object(Bucket=name, Key=key)
            self.s3.delete_bucket(Bucket=name)

    @contextlib.contextmanager
    def volume(self, zone: str) -> Iterator[Callable[[str], None]]:
        """A data volume, and what attaches it to a machine; gone in the end, after its machine."""
        volume: str = self.ec2.create_volume(AvailabilityZone=zone, Size=GIB)["VolumeId"]

        def attach(instance_id: str) -> None:
            self.ec2.attach_volume(VolumeId=volume, InstanceId=instance_id, Device="/dev/sdf")

        try:
            yield attach
        finally:
            self.ec2.get_waiter("volume_available").wait(
                VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": PATIENCE}
            )
            self.ec2.delete_volume(VolumeId=volume)

    @contextlib.contextmanager
    def machine(self, *, image: str, allocation: str, **request: object) -> Iterator[str]:
        """A machine that runs and has the address; terminated, and gone, in the end."""
        reply = self.ec2.run_instances(
            ImageId=image, InstanceType=TYPE, MinCount=1, MaxCount=1, **request
        )
        instance_id: str = reply["Instances"][0]["InstanceId"]
        waiter = {"Delay": 1, "MaxAttempts": PATIENCE}
        try:
            self.ec2.get_waiter("instance_running").wait(
                InstanceIds=[instance_id], WaiterConfig=waiter
            )
            self.ec2.associate_address(InstanceId=instance_id, AllocationId=allocation)
            yield instance_id
        finally:
            self.ec2.terminate_instances(InstanceIds=[instance_id])
            self.ec2.get_waiter("instance_terminated").wait(
                InstanceIds=[instance_id], WaiterConfig=waiter
            )

    def stop(self, instance_id: str) -> None:
        """The machine is stopped."""
        self.ec2.stop_instances(InstanceIds=[instance_id])
        self.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[instance_id], WaiterConfig={"Delay": 1, "MaxAttempts": PATIENCE}
        )

    def wait_for_state(self, instance_id: str, *states: str) -> None:
        """The machine is in one of the states. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            reply = self.ec2.describe_instances(InstanceIds=[instance_id])
            if reply["Reservations"][0]["Instances"][0]["State"]["Name"] in states:
                return
            time.sleep(0.1)
        raise TimeoutError(f"{instance_id} not {' or '.join(states)} after {PATIENCE} s")

    def wait_until_verified(self, instance_id: str, address: str, password: str) -> None:
        """The notebook answers with its console's key, took the password and ran a cell."""
        fingerprint = self._wait_for(instance_id, lambda boot: boot.ready).fingerprint
        if fingerprint is None:
            raise RuntimeError(f"{instance_id} is ready and shows no key")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return _run_a_cell(f"https://{address}:9999", fingerprint.key_sha256, password)
            except NoAnswerError:  # a person would press reload
                if time.monotonic() > deadline:
                    raise

    def wait_until_installed(self, instance_id: str) -> None:
        """The machine installs nothing any more. Raises TimeoutError."""
        self._wait_for(
            instance_id,
            lambda boot: any(
                phase.name == "environment" and phase.seconds is not None for phase in boot.phases
            ),
        )

    def _wait_for(self, instance_id: str, done: Callable[[console.Boot], bool]) -> console.Boot:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            boot = console.parse(self.shown(instance_id))
            if done(boot):
                return boot
            time.sleep(0.25)
        raise TimeoutError(f"{instance_id} not there after {PATIENCE} s")


def _run_a_cell(url: str, key_sha256: str, password: str) -> None:
    with logged_in(url, key_sha256, password) as notebook:
        if notebook.run_cell("print(6 * 7)").strip() != "42":
            raise RuntimeError(f"{url} cannot multiply")


@contextlib.contextmanager
def logged_in(url: str, key_sha256: str, password: str) -> Iterator[Notebook]:
    """The notebook at that address, its key pinned, after the login."""
    parts = urlsplit(url)
    seen = pin(str(parts.hostname), parts.port or 443, key_sha256=key_sha256)
    with Notebook(url, seen, password) as notebook:
        notebook.login()
        yield notebook
