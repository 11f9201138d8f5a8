"""When machines started and stopped, as CloudTrail tells; and the spot prices of those hours.

CloudTrail keeps 90 days of management events without being set up, and answers two look-ups a
second: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
An event shows up within about five minutes:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from wrapper.spending import Change, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from wrapper.aws.account import Account

EVENTS: Final[dict[str, Literal["started", "stopped", "interrupted"]]] = {
    "RunInstances": "started",
    "StartInstances": "started",
    "StopInstances": "stopped",
    "TerminateInstances": "stopped",
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-with-cloudtrail.html
    "BidEvictedEvent": "interrupted",
}


def moments(account: Account, instance_ids: Iterable[str], since: datetime) -> list[Moment]:
    """What CloudTrail tells of these machines; refused calls are left out."""
    found: list[Moment] = []
    with account.mapped("looking up CloudTrail's events"):
        for one in instance_ids:
            pages = account.cloudtrail.get_paginator("lookup_events").paginate(
                LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": one}],
                StartTime=since,
            )
            for event in (event for page in pages for event in page["Events"]):
                what = EVENTS.get(event["EventName"])
                if what and "errorCode" not in json.loads(event.get("CloudTrailEvent") or "{}"):
                    found.append(Moment(event["EventTime"], what, one))
    return found


def spot_changes(
    account: Account, instance_type: str, zone: str, since: datetime, until: datetime
) -> list[Change]:
    """Every price of that time, oldest first, begun with the one that held at its beginning."""
    with account.mapped(f"asking for the spot prices of {instance_type}"):
        pages = account.ec2.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=[instance_type],  # type: ignore[list-item] # newer ones than the stub's
            AvailabilityZone=zone,
            ProductDescriptions=["Linux/UNIX"],
            StartTime=since,
            EndTime=until,
        )
        found = [
            Change(one["Timestamp"], Decimal(one["SpotPrice"]))
            for page in pages
            for one in page["SpotPriceHistory"]
        ]
    return sorted(found, key=lambda one: one.since)
