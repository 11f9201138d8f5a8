"""Types that have what is required.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceRequirementsRequest.html
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def types_that_fit(
    region: str, architectures: Sequence[str], required: Mapping[str, Any]
) -> list[str]:
    """Names, sorted; the prices' protection is not known here."""
    return [
        name
        for name in offered(region)
        if {*INSTANCE_TYPES[name]["ProcessorInfo"]["SupportedArchitectures"]} & {*architectures}
        and _fits(INSTANCE_TYPES[name], required)
    ]


@cache
def offered(region: str) -> list[str]:
    """Names of the region's types, sorted."""
    found = {one["InstanceType"] for one in INSTANCE_TYPE_OFFERINGS["region"].get(region, ())}
    return sorted(found & INSTANCE_TYPES.keys())


def _fits(facts: Mapping[str, Any], required: Mapping[str, Any]) -> bool:
    gpus = facts.get("GpuInfo", {}).get("Gpus", [])
    makers = {str(gpu["Manufacturer"]).lower() for gpu in gpus}
    wanted = {*required.get("AcceleratorManufacturers", ())}
    return (
        _within(facts["VCpuInfo"]["DefaultVCpus"], required.get("VCpuCount"))
        and _within(facts["MemoryInfo"]["SizeInMiB"], required.get("MemoryMiB"))
        and _within(sum(gpu["Count"] for gpu in gpus), required.get("AcceleratorCount"))
        and (not wanted or bool(makers & wanted))
        and _may(facts["BareMetal"], required.get("BareMetal"))
        and _may(facts["BurstablePerformanceSupported"], required.get("BurstablePerformance"))
        and (facts["CurrentGeneration"] or "previous" in required.get("InstanceGenerations", ()))
    )


def _within(value: int, bounds: Mapping[str, Any] | None) -> bool:
    asked = bounds or {}
    least, most = asked.get("Min", 0), asked.get("Max")
    return int(least) <= value and (most is None or value <= int(most))


def _may(has: bool, asked: str | None) -> bool:
    """Excluded unless it says otherwise."""
    return {"included": True, "required": has}.get(asked or "excluded", not has)
