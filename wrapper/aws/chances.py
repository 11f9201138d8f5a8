"""Whether EC2 would give a machine: placement scores, and the account's quotas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.aws.account import Account
    from wrapper.aws.model import Market

_REGIONS = 10
"""Regions that one question for scores takes."""
_CODES = (
    # vCPUs, on-demand and spot, by family:
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
    (re.compile(r"(g|gr|vt)\d"), "L-DB2E81BA", "L-3819A6DF"),
    (re.compile(r"p\d"), "L-417A185B", "L-7212CCBC"),
    (re.compile(r"x\d"), "L-7295265B", "L-E3A00192"),
    (re.compile(r"[acdhimrtz]\d"), "L-1216C47A", "L-34B43A08"),
)


def quota_code(instance_type: str, market: Market) -> str | None:
    """Of the quota that a type counts against; None for the rarer families."""
    for pattern, on_demand, spot in _CODES:
        if pattern.match(instance_type):
            return spot if market == "spot" else on_demand
    return None


def quota(account: Account, code: str) -> int:
    """vCPUs that may run at a time in the region; what runs already counts."""
    with account.mapped("asking for quotas"):
        found = account.quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    return int(found["Quota"]["Value"])


def placement_scores(
    account: Account, types: Sequence[str], regions: Sequence[str]
) -> dict[tuple[str, str], int]:
    """From 1 to 10, by region and id of the zone, of a request that takes any of these types.

    Few different questions are answered a day, and not many zones to each:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-placement-score.html
    """
    found: dict[tuple[str, str], int] = {}
    with account.mapped("asking for placement scores"):
        for first in range(0, len(regions), _REGIONS):
            pages: Any = account.ec2.get_paginator("get_spot_placement_scores").paginate(
                InstanceTypes=sorted(types),
                TargetCapacity=1,
                SingleAvailabilityZone=True,
                RegionNames=[*regions[first : first + _REGIONS]],
            )
            for page in pages:
                for one in page["SpotPlacementScores"]:
                    found[one["Region"], one["AvailabilityZoneId"]] = int(one["Score"])
    return found


def zone_ids(account: Account) -> dict[str, str]:
    """The region's zones, id by name: names differ from account to account."""
    with account.mapped("asking for zones"):
        found = account.ec2.describe_availability_zones()["AvailabilityZones"]
    return {str(one["ZoneName"]): str(one["ZoneId"]) for one in found}
