"""CloudTrail's LookupEvents: what was really asked of the embedded EC2, and what it did itself.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
Events are there at once, where AWS takes minutes.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wrapper.local.api.json_service import Operation

KEPT: Final = 90 * 86400.0
PAGE: Final = 50
_KEYS: Final = {"EventName": "EventName", "EventId": "EventId", "EventSource": "EventSource"}


@dataclass
class Trail:
    """Events of all regions, oldest first."""

    clock: Callable[[], float]
    _events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def record(self, region: str, name: str, instance_ids: Iterable[str], who: str) -> None:
        """It happened now; `who` is the caller, or the service of AWS that did it."""
        ids, now, event_id = [*instance_ids], self.clock(), str(uuid.uuid4())
        told = {
            "eventID": event_id,
            "eventName": name,
            "eventSource": "ec2.amazonaws.com",
            "awsRegion": region,
            "userIdentity": {"invokedBy": who} if "." in who else {"userName": who},
        }
        event = {
            "EventId": event_id,
            "EventName": name,
            "EventSource": "ec2.amazonaws.com",
            "EventTime": now,
            "ReadOnly": "false",
            "Username": who,
            "Resources": [
                {"ResourceType": "AWS::EC2::Instance", "ResourceName": one} for one in ids
            ],
            "CloudTrailEvent": json.dumps(told),
        }
        self._events.append((region, event))

    def operations(self) -> dict[str, Operation]:
        """By name."""
        return {"LookupEvents": lambda asked, region: self.lookup(region, asked)}

    def lookup(self, region: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A page, newest first."""
        oldest = max(asked.get("StartTime") or 0.0, self.clock() - KEPT)
        newest = asked.get("EndTime") or self.clock()
        found = [
            event
            for where, event in reversed(self._events)
            if where == region
            and oldest <= event["EventTime"] <= newest
            and all(_fits(event, one) for one in asked.get("LookupAttributes", []))
        ]
        first = int(asked.get("NextToken") or 0)
        count = int(asked.get("MaxResults") or PAGE)
        page: dict[str, Any] = {"Events": found[first : first + count]}
        if len(found) > first + count:
            page["NextToken"] = str(first + count)
        return page


def _fits(event: Mapping[str, Any], one: Mapping[str, str]) -> bool:
    key, value = one["AttributeKey"], one["AttributeValue"]
    if key == "ResourceName":
        return any(resource["ResourceName"] == value for resource in event["Resources"])
    return bool(event.get(_KEYS.get(key, "")) == value)
