"""Whole lives of deployments, led side by side: most of their time is the provider's waiting.

Each is in an account of its own. They begin with the first test that asks for one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.module.cases import TOO_LARGE
from tests.module.copies import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.module.copies import Copy

EXAMPLES = sorted(path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir())
PLAIN: dict[str, dict[str, Any]] = {
    "no inputs but spot": {"spot": True},
    "one-time spot": {"spot": True, "on_interruption": "terminate", "data_volume_size": 8},
    "everything": {
        "allowed_cidrs": ["203.0.113.7/32", "2001:db8::/64"],
        "data_volume_size": 8,
        "elastic_ip": False,
        "instance_type": "t4g.large",
        "name": "mine",
        "owner": "ada",
        "root_volume_size": 55,
        "services_endpoint": "http://198.51.100.1",
        "spot": True,
        "tags": {"team": "blue"},
    },
}
REGIONS = {"aliased-provider": "ap-northeast-1"}


@dataclass
class Seen:
    """One life, as it was seen from outside."""

    outputs: dict[str, Any] = field(default_factory=dict)
    unchanged: bool = False
    instances: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    policies: list[dict[str, Any]] = field(default_factory=list)
    """Of the bucket that the machine's programs are in."""
    again: dict[str, Any] = field(default_factory=dict)
    """Outputs of the apply after EC2 took a one-time machine; empty for other machines."""
    attached_again: list[tuple[str, str]] = field(default_factory=list)
    """Volume and machine of each attachment then."""
    left: list[str] = field(default_factory=list)

    @property
    def root(self) -> dict[str, Any]:
        """The machine's own disk."""
        (found,) = (one for one in self.volumes if one["Attachments"][0]["DeleteOnTermination"])
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The data volume."""
        kept = (one for one in self.volumes if not one["Attachments"][0]["DeleteOnTermination"])
        (found,) = kept
        return found


def live(copy: Copy, variables: Mapping[str, Any], region: str = "us-east-1") -> Seen:
    """Applied, planned again, looked at, destroyed."""
    seen = Seen()
    ec2 = copy.account.client(region)
    try:
        seen.outputs = copy.apply(**variables)
        seen.unchanged = copy.is_unchanged()
        seen.instances = [
            one
            for reservation in ec2.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        ]
        seen.volumes = ec2.describe_volumes()["Volumes"]
        seen.requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        s3 = copy.account.client(region, "s3")
        seen.policies = [
            json.loads(s3.get_bucket_policy(Bucket=one["Name"])["Policy"])
            for one in s3.list_buckets()["Buckets"]
        ]
        if variables.get("on_interruption") == "terminate":
            _take(copy, seen.outputs["instance_id"])
            seen.again = copy.apply(**variables)
            seen.attached_again = [
                (one["VolumeId"], attachment["InstanceId"])
                for one in ec2.describe_volumes()["Volumes"]
                for attachment in one["Attachments"]
            ]
    finally:
        copy.destroy()
    # An example's own network is its own; here it counts that nothing costs money or blocks a name.
    seen.left = copy.account.left(region)
    return seen


def _take(copy: Copy, machine: str) -> None:
    """EC2 has interrupted and ended it."""
    copy.account.control.interrupt(machine, after=0)
    deadline = time.monotonic() + 60
    while True:
        found = copy.account.client().describe_instances(InstanceIds=[machine])
        if found["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated":
            return
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.2)


@dataclass
class Switched:
    """A spot machine that became an on-demand one."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    unchanged: bool
    for_a_larger_environment: Mapping[str, str]
    """What a plan would change for one that a new machine could not have."""
    first_machine: str
    left: list[str]


def switch(copy: Copy) -> Switched:
    """Applied as spot, then on demand, then destroyed."""
    ec2 = copy.account.client()
    before = copy.apply(spot=True)
    try:
        after = copy.apply(spot=False)
        unchanged = copy.is_unchanged()
        larger = copy.changes(spot=False, environment=TOO_LARGE)
        copy.settings(spot=False)
        found = ec2.describe_instances(InstanceIds=[before["instance_id"]])
        state = found["Reservations"][0]["Instances"][0]["State"]["Name"]
    finally:
        copy.destroy()
    return Switched(before, after, unchanged, larger, state, copy.account.left())


NETWORK = """
resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"
  tags       = { round = var.round }
}

resource "aws_subnet" "this" {
  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.20.1.0/24"
  # Otherwise EC2 picks a zone, and not every zone offers the type.
  availability_zone = "us-east-1a"
}

variable "round" {
  type = string
}

resource "aws_ebs_volume" "this" {
  availability_zone = aws_subnet.this.availability_zone
  size              = 8
}

module "notebook" {
  source           = "../.."
  data_volume_id   = aws_ebs_volume.this.id
  data_volume_size = null
  subnet_id        = aws_subnet.this.id
  depends_on       = [aws_vpc.this]
}

module "other" {
  source           = "../.."
  data_volume_size = 8
  name             = "other"
  subnet_id        = aws_subnet.this.id
  depends_on       = [aws_vpc.this]
}
"""


def change_upstream(copy: Copy) -> dict[str, str]:
    """What a plan would change when only the VPC of the caller has changed."""
    (copy.directory / "main.tf").write_text(NETWORK)
    copy.get()
    copy.apply(round="first")
    try:
        return copy.changes(round="second")
    finally:
        copy.destroy()
