"""List prices of what costs while nothing runs: disks, snapshots, public addresses. Pure.

As of 2026-11, for gp3 and for EBS snapshots of the standard tier: https://aws.amazon.com/ebs/pricing/
Addresses, the same in every region: https://aws.amazon.com/vpc/pricing/
"""

from __future__ import annotations

from typing import Literal

Kept = Literal["volume", "snapshot"]

BASE = "us-east-1"
GIB_MONTH: dict[Kept, float] = {"volume": 0.08, "snapshot": 0.05}
"""US dollars for a GB and month in us-east-1."""
_ELSEWHERE: dict[Kept, dict[str, float]] = {
    "volume": {"ap-southeast-1": 0.096, "eu-central-1": 0.0952},
    "snapshot": {},
}
"""Regions whose price is known here; the others are reckoned by us-east-1's."""
ADDRESS_HOUR = 0.005
"""US dollars for a public IPv4 address, in use or idle."""
MONTH_HOURS = 730


def gib_month(kind: Kept, region: str | None = None) -> float:
    """US dollars for a GB and month."""
    return _ELSEWHERE[kind].get(region or BASE, GIB_MONTH[kind])


def month(kind: Kept, gib: float, region: str | None = None) -> float:
    """US dollars a month, about; of a snapshot the most that it can be."""
    return round(gib_month(kind, region) * gib, 2)


def address_month(count: int = 1) -> float:
    """US dollars a month."""
    return round(count * ADDRESS_HOUR * MONTH_HOURS, 2)


def basis(region: str) -> str:
    """Whose prices these are, for a person."""
    if region == BASE or region in _ELSEWHERE["volume"]:
        return f"list prices of {region}"
    return f"list prices of {BASE}; those of {region} differ by some per cent"


def basis_of_many(regions: set[str]) -> str:
    """Likewise, of several regions."""
    if len(regions) == 1:
        return basis(next(iter(regions)))
    return f"list prices, {BASE}'s where a region's are not known"
