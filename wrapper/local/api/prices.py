"""A spot price history: shaped like AWS's, made up, the same at every asking.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html

An on-demand price follows from vCPUs, memory and GPUs well enough for the general families;
spot stands at 30 to 55 % of it, by zone, and moves a little every six hours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PER_VCPU: Final = 0.037
PER_GIB: Final = 0.00275
PER_GPU: Final = 0.6
STEP: Final = timedelta(hours=6)
KEPT: Final = timedelta(days=90)
PAGE: Final = 1000
PRODUCT: Final = "Linux/UNIX"


def hourly(instance_type: str, zone: str, slot: int) -> Decimal:
    """US dollars an hour in that zone during that slot of six hours since 1970."""
    facts = INSTANCE_TYPES[instance_type]
    gpus = sum(gpu.get("Count", 0) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
    full = (
        PER_VCPU * facts["VCpuInfo"]["DefaultVCpus"]
        + PER_GIB * facts["MemoryInfo"]["SizeInMiB"] / 1024
        + PER_GPU * gpus
    )
    share = 0.30 + 0.20 * _chance(instance_type, zone) + 0.05 * _chance(instance_type, zone, slot)
    return Decimal(f"{full * share:.4f}00")


def _chance(*about: object) -> float:
    digest = hashlib.sha256(repr(about).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


@dataclass(frozen=True)
class PriceQuery:
    """Empty sequences and None mean all; times are aware."""

    region: str
    instance_types: Sequence[str] = ()
    zones: Sequence[str] = ()
    start: datetime | None = None
    end: datetime | None = None


def price_history(
    query: PriceQuery, *, first: int = 0, count: int = PAGE
) -> list[Mapping[str, Any]]:
    """A page of price changes, newest first; the price in force at `start` is among them."""
    now = datetime.now(UTC)
    end = min(query.end or now, now)
    start = min(max(query.start or now - KEPT, now - KEPT), end)
    offered = sorted(
        (offering["InstanceType"], offering["Location"])
        for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(query.region, [])
        if (not query.instance_types or offering["InstanceType"] in query.instance_types)
        and (not query.zones or offering["Location"] in query.zones)
        and "spot"
        in INSTANCE_TYPES.get(offering["InstanceType"], {}).get("SupportedUsageClasses", [])
    )
    changes = _changes(offered, start=start, end=end)
    return list(islice(changes, first, first + count))


def _changes(
    offered: Sequence[tuple[str, str]], *, start: datetime, end: datetime
) -> Iterator[Mapping[str, Any]]:
    slot = int(end.timestamp() // STEP.total_seconds())
    while True:
        changed = datetime.fromtimestamp(slot * STEP.total_seconds(), UTC)
        for instance_type, zone in offered:
            yield {
                "AvailabilityZone": zone,
                "InstanceType": instance_type,
                "ProductDescription": PRODUCT,
                "SpotPrice": f"{hourly(instance_type, zone, slot):f}",
                "Timestamp": changed,
            }
        if changed <= start:
            return
        slot -= 1
