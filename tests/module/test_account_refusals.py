"""What the account cannot give is refused by the plan, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.module.cases import RSA, TOO_LARGE, with_a_second_disk, write_cases
from wrapper.local.machines import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account
    from tests.module.conftest import Blocks
    from tests.module.copies import Copy

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no_such_type": ({"instance_type": "t9.large"}, "do not exist: [t9.large]"),
    "no_spot": ({"instance_type": "hpc7g.4xlarge", "spot": True}, "is not sold as spot"),
    "memory": (
        {
            "instance_type": "m5.large",
            "spot": True,
            "on_interruption": "hibernate",
            "root_volume_size": 10,
        },
        "Give a root_volume_size of 16 (8 GiB more than m5.large's memory)",
    ),
    "no_hibernation": (
        {"instance_type": "m5n.large", "spot": True, "on_interruption": "hibernate"},
        "EC2 does not hibernate m5n.large. Choose a type that it does",
    ),
    "further_disk": (
        {"ami_id": "one with /dev/sdb", "data_volume_size": 8},
        "brings further disks (/dev/sdb), which the machine could take for its new data volume",
    ),
    "no_such_image": (
        {"ami_id": "ami-0123456789abcdef0"},
        "module.no_such_image.data.aws_ami.this",
    ),
    "architecture": (
        {"instance_type": "t3.large", "ami_id": "debian-12-arm64-*"},
        "is for arm64, but t3.large is x86_64",
    ),
    "zone": (
        {"instance_type": "t3.large", "subnet_id": "us-east-1e"},
        "t3.large is not offered in us-east-1e, the zone of subnet-",
    ),
    "environment": (
        {"environment": TOO_LARGE},
        "environment: too large",
    ),
    # A comment that is longer than any key.
    "ssh_key": (
        {"ssh_public_key": f"{RSA} {7**18000:x}"},
        "Give an ed25519 key, a tenth as long: ssh-keygen -t ed25519",
    ),
    "whole_world": ({"allowed_cidrs": ["0.0.0.0/0"]}, "0.0.0.0/0 is the whole internet"),
    "xen_volume": (
        {"instance_type": "t2.large", "data_volume_size": 8},
        "t2.large is of the older Xen generation",
    ),
    "no_such_snapshot": (
        {"data_volume_size": 8, "data_snapshot_id": "snap-0123456789abcdef0"},
        "this account may use no snapshot snap-0123456789abcdef0 in us-east-1",
    ),
    "pending_snapshot": (
        {"data_volume_size": 8, "data_snapshot_id": "pending"},
        "is still being taken. Wait for it: aws ec2 wait snapshot-completed --region us-east-1",
    ),
    "failed_snapshot": (
        {"data_volume_size": 8, "data_snapshot_id": "failed"},
        "failed: what it holds is not whole. Give another one",
    ),
    "large_snapshot": (
        {"data_volume_size": 201, "data_snapshot_id": "of 202 GiB"},
        "is of a volume of more than data_volume_size = 201 GiB. Its size: aws ec2",
    ),
    "no_such_volume": (
        {"data_volume_id": "vol-0123456789abcdef0"},
        "this account has no volume vol-0123456789abcdef0 in us-east-1",
    ),
    "volume_elsewhere": (
        {"data_volume_id": "one in us-east-1b", "subnet_id": "one in us-east-1a"},
        "and the data volume in us-east-1b. Give a subnet of that zone",
    ),
    "unoffered_zone": (
        {"data_volume_id": "one in us-east-1e"},
        "is not offered in us-east-1e, where vol-",
    ),
    "large_memory": (
        {
            "instance_type": "r5.8xlarge",
            "on_interruption": "hibernate",
            "root_volume_size": 300,
            "spot": True,
        },
        "more than the 150 GiB of memory that EC2 hibernates",
    ),
    "debian_sleeps": (
        {
            "ami_id": "Debian's",
            "instance_type": "m5.large",
            "on_interruption": "hibernate",
            "spot": True,
        },
        "is none of them. Give one that can",
    ),
    "ubuntu_sleeps": (
        {
            "instance_type": "m5.large",
            "on_interruption": "hibernate",
            "root_volume_size": 16,
            "spot": True,
        },
        "ubuntu-noble-24.04-amd64-server-20261105) is none of them. Give one that can",
    ),
    "disk": (
        {"root_volume_size": 10, "ami_id": "one of 15 GiB"},
        "needs a larger disk than 10 GiB",
    ),
}
"""Only the account can tell. One plan refuses all at once: each is a use of its own."""

STUCK = {
    "pending_snapshot": Progress(7),
    "failed_snapshot": Progress(7, "it failed"),
    "large_snapshot": Progress(100),
}


def _large_image(ec2: Any, image: str) -> str:
    """One of 15 GiB."""
    asked = {"ImageId": image, "InstanceType": "t3.large", "MinCount": 1, "MaxCount": 1}
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 15}}
    launched = ec2.run_instances(**asked, BlockDeviceMappings=[disk])["Instances"][0]["InstanceId"]
    often = {"Delay": 1, "MaxAttempts": 60}
    ec2.get_waiter("instance_running").wait(InstanceIds=[launched], WaiterConfig=often)
    made = ec2.create_image(InstanceId=launched, Name="large", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig=often)
    return str(made)


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def refusals(
    make_copy: Callable[..., Copy],
    shared_account: Account,
    blocks: Blocks,
    module_patch: pytest.MonkeyPatch,
) -> str:
    copy = make_copy(shared_account, "refused")
    ec2 = shared_account.client()
    debian = _image(shared_account, "debian-12-amd64-*")
    large = _large_image(ec2, debian)
    with_a_second_disk(module_patch, twofold := _image(shared_account, "debian-13-amd64-*"))
    # Three hundred kilobytes of programs in each case's bucket would be nobody's question here.
    elsewhere = {"services_url": "https://mirror.example/programs.json"}
    cases = {name: {**elsewhere, **variables} for name, (variables, _) in REFUSED.items()}
    cases["architecture"]["ami_id"] = _image(shared_account, "debian-12-arm64-*")
    cases["disk"]["ami_id"] = large
    cases["further_disk"]["ami_id"] = twofold
    cases["zone"]["subnet_id"] = _subnet(ec2, "us-east-1e")
    cases["volume_elsewhere"]["subnet_id"] = _subnet(ec2, "us-east-1a")
    for case, zone in {"volume_elsewhere": "us-east-1b", "unoffered_zone": "us-east-1e"}.items():
        volume = ec2.create_volume(AvailabilityZone=zone, Size=8)
        cases[case]["data_volume_id"] = volume["VolumeId"]
    cases["debian_sleeps"]["ami_id"] = debian
    for case, progress in STUCK.items():
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=202)["VolumeId"]
        snapshot = cases[case]["data_snapshot_id"] = ec2.create_snapshot(VolumeId=volume)[
            "SnapshotId"
        ]
        blocks.said[snapshot] = progress
    write_cases(copy.directory, cases)
    copy.get()
    return copy.refusal()


def test_a_snapshot_that_just_fits_is_taken(
    make_copy: Callable[..., Copy], shared_account: Account, blocks: Blocks
) -> None:
    ec2 = shared_account.client()
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=202)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    blocks.said[snapshot] = Progress(100)
    changes = make_copy(shared_account).changes(data_volume_size=202, data_snapshot_id=snapshot)
    assert changes["aws_ebs_volume.data[0]"] == "create"


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=name) for name, (_, words) in REFUSED.items()]
)
def test_what_the_account_cannot_give_is_refused(refusals: str, words: str) -> None:
    assert words in refusals


def test_an_account_without_a_default_vpc_is_told_what_to_do(
    make_copy: Callable[..., Copy], account: Account
) -> None:
    ec2 = account.client()
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])

    words = make_copy(account).refusal()

    assert "no default VPC in us-east-1" in words
    assert "aws ec2 create-default-vpc --region us-east-1" in words


@pytest.mark.parametrize("domain", ["notebook.example.net", "anexample.org"])
def test_a_domain_that_is_not_in_the_zone_is_refused(
    make_copy: Callable[..., Copy], account: Account, domain: str
) -> None:
    route53 = account.client(service="route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference=domain)["HostedZone"]
    zone_id = zone["Id"].rpartition("/")[2]

    words = make_copy(account).refusal(domain=domain, zone_id=zone_id)

    assert f"domain: {domain} is not in the zone {zone_id}, which is example.org" in words


def _subnet(ec2: Any, zone: str) -> str:
    named = [{"Name": "availability-zone", "Values": [zone]}]
    return str(ec2.describe_subnets(Filters=named)["Subnets"][0]["SubnetId"])


def _image(account: Account, name: str) -> str:
    named = [{"Name": "name", "Values": [name]}]
    return str(account.client().describe_images(Filters=named)["Images"][0]["ImageId"])
