"""Whether a machine that somebody asks for can exist, before anything is made."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError, EndpointConnectionError

from wrapper.aws import catalogue
from wrapper.aws.model import Facts
from wrapper.aws.words import code_of, is_absent
from wrapper.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_ec2.type_defs import InstanceTypeInfoTypeDef, SubnetTypeDef

    from wrapper.aws.account import Account
    from wrapper.aws.model import Request

Architecture = Literal["x86_64", "arm64"]


def check(account: Account, wanted: Request) -> Facts:
    """The machine can exist, as far as EC2 tells beforehand. RequestError says what cannot."""
    if wanted.region is not None and wanted.region != account.region:
        account = account.elsewhere(wanted.region)
    _check_region(account)
    info = _instance_type(account, wanted.instance_type)
    architecture = _architecture(info, wanted.instance_type)
    if wanted.spot and "spot" not in info["SupportedUsageClasses"]:
        raise RequestError(
            f"{wanted.instance_type} is not sold as spot.",
            hint="Another --instance-type, or --on-demand.",
        )
    if wanted.zone is not None:
        _check_zone(account, wanted.zone)
    subnets = _subnets(account, wanted)
    if wanted.ami_id is not None:
        _check_image(account, wanted.ami_id, architecture, wanted.instance_type)
    kind = catalogue.kind(info)
    return Facts(
        architecture=architecture,
        vcpus=info["VCpuInfo"]["DefaultVCpus"],
        memory_mib=info["MemoryInfo"]["SizeInMiB"],
        zones=tuple(subnets),
        subnets=subnets,
        nitro=info.get("Hypervisor") != "xen",
        gpus=kind.gpus,
        gpu_memory_gib=kind.gpu_memory_gib,
    )


def _check_region(account: Account) -> None:
    """A region that the SDK does not know may be newer than it: then AWS is asked."""
    known = account.known_regions
    if account.region in known:
        return
    unknown = RequestError(
        f'There is no AWS region "{account.region}".{_near(account.region, known)}',
        hint="python -m wrapper up --region eu-central-1; all of them: "
        "aws ec2 describe-regions --query 'Regions[].RegionName'",
    )
    asked = account.elsewhere("us-east-1")
    with asked.mapped("looking up regions"):
        try:
            found = asked.ec2.describe_regions(AllRegions=True)
        except EndpointConnectionError:
            raise unknown from None
    if account.region not in {region.get("RegionName") for region in found["Regions"]}:
        raise unknown


def _instance_type(account: Account, instance_type: str) -> InstanceTypeInfoTypeDef:
    with account.mapped(f"looking up the instance type {instance_type}"):
        try:
            found = account.ec2.describe_instance_types(
                InstanceTypes=[instance_type]  # type: ignore[list-item] # a user's word, not one of the stub's
            )
        except ClientError as error:
            if code_of(error) not in ("InvalidInstanceType", "InvalidParameterValue"):
                raise
            return _no_type(account, instance_type)
    return (found["InstanceTypes"] or [_no_type(account, instance_type)])[0]


def _no_type(account: Account, instance_type: str) -> InstanceTypeInfoTypeDef:
    with account.mapped("looking up the region's instance types"):
        pages = account.ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="region"
        )
        known = [
            str(offer.get("InstanceType"))
            for page in pages
            for offer in page["InstanceTypeOfferings"]
        ]
    raise RequestError(
        f'{account.region} has no instance type "{instance_type}".{_near(instance_type, known)}',
        hint="python -m wrapper up --instance-type t3.large; sizes: https://aws.amazon.com/ec2/instance-types/",
    )


def _architecture(info: InstanceTypeInfoTypeDef, instance_type: str) -> Architecture:
    supported = info["ProcessorInfo"]["SupportedArchitectures"]
    if "x86_64" in supported:
        return "x86_64"
    if "arm64" in supported:
        return "arm64"
    raise RequestError(
        f"{instance_type} is for {', '.join(supported)} only; the notebook runs on Linux on "
        "x86_64 and arm64.",
        hint="python -m wrapper up --instance-type t3.large",
    )


def _check_zone(account: Account, zone: str) -> None:
    with account.mapped("looking up zones"):
        found = account.ec2.describe_availability_zones(
            Filters=[{"Name": "region-name", "Values": [account.region]}]
        )["AvailabilityZones"]
    known = [str(one.get("ZoneName")) for one in found]
    if zone not in known:
        raise RequestError(
            f'{account.region} has no availability zone "{zone}"; it has: '
            f"{', '.join(sorted(known))}.",
            hint="Name none: one that offers the type is chosen.",
        )


def _subnets(account: Account, wanted: Request) -> dict[str, str]:
    """By zone, where the type is offered and a subnet waits. Never empty: else RequestError."""
    offered = _offered(account, wanted.instance_type)
    if wanted.subnet_id is not None:
        subnets = [_subnet(account, wanted.subnet_id)]
        where = f"the zone of {wanted.subnet_id}"
    else:
        subnets = _default_subnets(account)
        where = f"any zone of {account.region} that has a default subnet"
    reachable = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    if wanted.zone is not None:
        if wanted.zone not in reachable:
            raise RequestError(
                f"No subnet for the machine is in {wanted.zone}, but in: "
                f"{', '.join(sorted(reachable))}.",
                hint="Give a --subnet-id of that zone.",
            )
        reachable, where = {wanted.zone: reachable[wanted.zone]}, wanted.zone
    zones = sorted(reachable.keys() & offered)
    if not zones:
        raise RequestError(
            f"{wanted.instance_type} is not offered in {where}; it is in: "
            f"{', '.join(sorted(offered)) or 'none'}.",
            hint="Another --instance-type, or a --subnet-id of a zone that offers it.",
        )
    return {zone: reachable[zone] for zone in zones}


def _offered(account: Account, instance_type: str) -> set[str]:
    with account.mapped(f"looking up where {instance_type} is offered"):
        pages = account.ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )
        return {
            str(offer.get("Location")) for page in pages for offer in page["InstanceTypeOfferings"]
        }


def _subnet(account: Account, subnet_id: str) -> SubnetTypeDef:
    with account.mapped(f"looking up the subnet {subnet_id}"):
        try:
            subnet = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
        except ClientError as error:
            if not is_absent(error):
                raise
            raise RequestError(
                f"{account.region} has no subnet {subnet_id}.",
                hint=f"aws ec2 describe-subnets --region {account.region} "
                "--query 'Subnets[].SubnetId'",
            ) from error
    if subnet["AvailableIpAddressCount"] < 1:
        raise RequestError(
            f"The subnet {subnet_id} has no free address.", hint="Give another --subnet-id."
        )
    return subnet


def _default_subnets(account: Account) -> list[SubnetTypeDef]:
    with account.mapped("looking up the default VPC"):
        vpcs = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
        if not vpcs["Vpcs"]:
            raise RequestError(
                f"The account has no default VPC in {account.region}.",
                hint=f"aws ec2 create-default-vpc --region {account.region}, "
                "or give a --subnet-id of your own.",
            )
        subnets = account.ec2.describe_subnets(
            Filters=[
                {"Name": "vpc-id", "Values": [str(vpcs["Vpcs"][0].get("VpcId"))]},
                {"Name": "default-for-az", "Values": ["true"]},
            ]
        )["Subnets"]
    if not subnets:
        raise RequestError(
            f"The default VPC in {account.region} has no default subnet.",
            hint="aws ec2 create-default-subnet --availability-zone "
            f"{account.region}a, or give a --subnet-id of your own.",
        )
    return subnets


def _check_image(
    account: Account, ami_id: str, architecture: Architecture, instance_type: str
) -> None:
    with account.mapped(f"looking up the image {ami_id}"):
        try:
            images = account.ec2.describe_images(ImageIds=[ami_id])["Images"]
        except ClientError as error:
            if not is_absent(error):
                raise
            images = []
    if not images:
        raise RequestError(
            f"{account.region} has no image {ami_id}, or not for this account.",
            hint="An image belongs to one region. Leave --ami-id out for the newest Ubuntu 24.04.",
        )
    image = images[0]
    if image.get("Architecture") != architecture:
        raise RequestError(
            f"The image {ami_id} is for {image.get('Architecture')}, but {instance_type} is "
            f"{architecture}.",
            hint="Give an image or an --instance-type of the other architecture.",
        )
    if image.get("Platform") == "windows":
        raise RequestError(
            f"The image {ami_id} is Windows; the notebook runs on Ubuntu or Debian.",
            hint="Leave --ami-id out for the newest Ubuntu 24.04.",
        )
    if image.get("State", "available") != "available":
        raise RequestError(
            f"The image {ami_id} is {image.get('State')}, not available.",
            hint=f"aws ec2 wait image-available --region {account.region} --image-ids {ami_id}",
        )


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, n=3)
    return f" Did you mean {' or '.join(near)}?" if near else ""
