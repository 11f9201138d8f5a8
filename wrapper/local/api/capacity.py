"""What EC2 has left to give: capacity by zone, type and market, and an account's quotas.

All there is unless it is withheld. Error codes and what they mean:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
Quotas count vCPUs, by market and family of types:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

Market = Literal["spot", "on-demand"]
MARKETS: Final[tuple[Market, ...]] = ("spot", "on-demand")

FAMILIES: Final = (
    (re.compile(r"(g|vt)\d"), "g-and-vt"),
    (re.compile(r"p\d"), "p"),
    (re.compile(r"x\d"), "x"),
    (re.compile(r"[acdhimrtz]\d"), "standard"),
)
"""Which types share a quota; any other family has one of its own."""


def offered(region: str, instance_type: str) -> list[str]:
    """The zones of the region that offer the type, whether they have capacity or not."""
    return sorted(
        offering["Location"]
        for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
        if offering["InstanceType"] == instance_type
    )


def vcpus(instance_type: str) -> int:
    """What one of it counts against the quota."""
    return int(INSTANCE_TYPES[instance_type]["VCpuInfo"]["DefaultVCpus"])


def family(instance_type: str) -> str:
    """The quota that a type counts against."""
    for pattern, name in FAMILIES:
        if pattern.match(instance_type):
            return name
    return re.split(r"\d", instance_type)[0]


@dataclass(frozen=True)
class Rule:
    """Capacity withheld or given back; None is every zone, type or market."""

    given: bool
    zone: str | None = None
    instance_type: str | None = None
    market: Market | None = None

    def concerns(self, zone: str, instance_type: str, market: Market) -> bool:
        """It is about this pool."""
        asked, mine = (zone, instance_type, market), (self.zone, self.instance_type, self.market)
        return all(one is None or one == other for one, other in zip(mine, asked, strict=True))

    def covers(self, other: Rule) -> bool:
        """It is about every pool that the other is about."""
        pairs = (
            (self.zone, other.zone),
            (self.instance_type, other.instance_type),
            (self.market, other.market),
        )
        return all(mine is None or mine == theirs for mine, theirs in pairs)


class Capacity:
    """What is withheld, and the quotas; the same for every account and region."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._quotas: dict[tuple[Market, str], int] = {}

    @property
    def rules(self) -> list[Rule]:
        """In the order in which they were made: the last one about a pool decides."""
        return list(self._rules)

    @property
    def quotas(self) -> Mapping[tuple[Market, str], int]:
        """vCPUs by market and family, where there is a limit."""
        return dict(self._quotas)

    def decide(self, rule: Rule) -> None:
        """From now on it is so, whatever was decided about those pools before."""
        self._rules = [old for old in self._rules if not rule.covers(old)] + [rule]
        while self._rules and self._rules[0].given:  # gives what nothing withholds
            del self._rules[0]

    def has(self, zone: str, instance_type: str, market: Market) -> bool:
        """One more of the type could run there."""
        for rule in reversed(self._rules):
            if rule.concerns(zone, instance_type, market):
                return rule.given
        return True

    def limit(self, market: Market, of_family: str, most: int | None) -> None:
        """The account may use so many vCPUs of that family; None is no limit."""
        self._quotas.pop((market, of_family), None)
        if most is not None:
            self._quotas[market, of_family] = most

    def check(self, zone: str, instance_type: str, market: Market) -> None:
        """EC2ClientError, with the zones that have capacity, unless this one has."""
        if self.has(zone, instance_type, market):
            return
        if market == "spot":
            raise EC2ClientError(
                "InsufficientInstanceCapacity",
                "There is no Spot capacity available that matches your request.",
            )
        region = zone.rstrip("abcdefghijklmnopqrstuvwxyz")
        others = [
            one for one in offered(region, instance_type) if self.has(one, instance_type, market)
        ]
        elsewhere = (
            f" You can currently get {instance_type} capacity by not specifying an Availability "
            f"Zone in your request or choosing {', '.join(others)}."
            if others
            else ""
        )
        raise EC2ClientError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {instance_type} capacity in the Availability "
            f"Zone you requested ({zone}). Our system will be working on provisioning additional "
            f"capacity.{elsewhere}",
        )

    def check_quota(self, instance_type: str, market: Market, *, used: int, count: int = 1) -> None:
        """EC2ClientError when so many more vCPUs of its family are over the limit."""
        most = self._quotas.get((market, family(instance_type)))
        if most is None or used + count * vcpus(instance_type) <= most:
            return
        if market == "spot":
            raise EC2ClientError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise EC2ClientError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {most} allows "
            "for the instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )
