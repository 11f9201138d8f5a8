"""Which types there are, and what they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.aws.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wrapper.aws.account import Account
    from wrapper.aws.model import Needs

_EVERY_PRICE = 999_999
"""Per cent over the cheapest: EC2 leaves out what is dearer than twice that unless told so."""
_AT_ONCE = 100
"""Names that DescribeInstanceTypes takes."""


def fitting(account: Account, needs: Needs) -> list[str]:
    """Names of the region's types that have as much, sorted; no bare metal.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetInstanceTypesFromInstanceRequirements.html
    """
    wanted: dict[str, Any] = {
        "VCpuCount": {"Min": needs.cpus},
        "MemoryMiB": {"Min": round(needs.memory_gib * 1024)},
        "BurstablePerformance": "included",
        "InstanceGenerations": ["current", "previous"],
        "OnDemandMaxPricePercentageOverLowestPrice": _EVERY_PRICE,
        "SpotMaxPricePercentageOverLowestPrice": _EVERY_PRICE,
    }
    if needs.gpus:
        wanted |= {
            "AcceleratorCount": {"Min": needs.gpus},
            "AcceleratorManufacturers": ["nvidia"],
            "AcceleratorTypes": ["gpu"],
        }
    with account.mapped("asking which types fit"):
        pages = account.ec2.get_paginator("get_instance_types_from_instance_requirements").paginate(
            ArchitectureTypes=[*needs.architectures],
            VirtualizationTypes=["hvm"],
            InstanceRequirements=wanted,  # type: ignore[arg-type] # one dict of many shapes
        )
        return sorted({str(one["InstanceType"]) for page in pages for one in page["InstanceTypes"]})


def every(account: Account) -> list[Kind]:
    """All types of the region, and what they have; no bare metal.

    A permission that a user with fewer may have, and a dozen pages instead of one answer.
    """
    with account.mapped("asking which types there are"):
        pages = account.ec2.get_paginator("describe_instance_types").paginate(
            Filters=[{"Name": "bare-metal", "Values": ["false"]}]
        )
        return [kind(one) for page in pages for one in page["InstanceTypes"]]


def kinds(account: Account, names: Iterable[str]) -> list[Kind]:
    """What these types have; those that the region lacks are left out."""
    found = []
    with account.mapped("asking what types have"):
        wanted = sorted(names)
        for first in range(0, len(wanted), _AT_ONCE):
            # A filter: an unknown name in InstanceTypes fails the whole call.
            pages = account.ec2.get_paginator("describe_instance_types").paginate(
                Filters=[{"Name": "instance-type", "Values": wanted[first : first + _AT_ONCE]}]
            )
            found += [kind(one) for page in pages for one in page["InstanceTypes"]]
    return found


def kind(raw: Any) -> Kind:
    """What EC2 tells of a type, as a plain value."""
    gpus = [
        gpu
        for gpu in raw.get("GpuInfo", {}).get("Gpus", ())
        if gpu.get("Manufacturer") == "NVIDIA" and gpu.get("Count")
    ]
    architectures = raw["ProcessorInfo"]["SupportedArchitectures"]
    return Kind(
        name=str(raw["InstanceType"]),
        architecture="arm64" if "arm64" in architectures else "x86_64",
        cpus=int(raw["VCpuInfo"]["DefaultVCpus"]),
        memory_gib=raw["MemoryInfo"]["SizeInMiB"] / 1024,
        gpus=sum(int(gpu["Count"]) for gpu in gpus),
        gpu=str(gpus[0]["Name"]) if gpus else None,
        gpu_memory_gib=gpus[0]["MemoryInfo"]["SizeInMiB"] / 1024 if gpus else 0.0,
        nitro=raw.get("Hypervisor") == "nitro",
        spot="spot" in raw.get("SupportedUsageClasses", ()),
    )
