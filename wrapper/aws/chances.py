"""Whether EC2 would give a machine: placement scores, and the account's quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.aws.account import Account

_REGIONS = 10
"""Regions that one question for scores takes."""


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
