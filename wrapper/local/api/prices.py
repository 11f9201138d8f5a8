"""Prices: a table of our own, shaped like AWS's, the same at every asking; and those set by hand.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html

An on-demand price follows from vCPUs, memory and GPUs well enough for the general families;
spot stands at 30 to 55 % of it, by zone, and moves a little every six hours, in days and weeks.
"""

from __future__ import annotations

import bisect
import hashlib
import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PER_VCPU: Final = 0.037
PER_GIB: Final = 0.00275
PER_GPU: Final = 0.6
STEP: Final = timedelta(hours=6)
KEPT: Final = timedelta(days=90)
PAGE: Final = 1000
PRODUCT: Final = "Linux/UNIX"


def on_demand(instance_type: str, region: str) -> Decimal:
    """US dollars an hour in the region: the most that a request pays unless it says less.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-spot-instances-work.html
    """
    return Decimal(f"{_full(instance_type, region):.4f}00")


def _full(instance_type: str, region: str) -> float:
    facts = INSTANCE_TYPES[instance_type]
    gpus = sum(gpu.get("Count", 0) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
    # Up to a third more than where it is cheapest.
    dearer = 1.0 if region == "us-east-1" else 1.0 + _chance("region", region) / 3
    return dearer * float(
        PER_VCPU * facts["VCpuInfo"]["DefaultVCpus"]
        + PER_GIB * facts["MemoryInfo"]["SizeInMiB"] / 1024
        + PER_GPU * gpus
    )


def hourly(instance_type: str, zone: str, slot: int) -> Decimal:
    """US dollars an hour in that zone during that slot of six hours since 1970."""
    pool = instance_type, zone
    share = 0.30 + 0.13 * _chance(*pool) + 0.09 * _drift(28, slot, *pool)
    share += 0.03 * _drift(4, slot, *pool)
    return Decimal(f"{_full(instance_type, region_of(zone)) * share:.4f}00")


def region_of(zone: str) -> str:
    """The region of an availability zone."""
    return zone.rstrip("abcdefghijklmnopqrstuvwxyz")


def _drift(length: int, slot: int, *about: object) -> float:
    """From 0 to 1, with a new direction every so many slots: prices move slowly."""
    knot, part = divmod(slot, length)
    before, after = (_chance(*about, length, one) for one in (knot, knot + 1))
    return before + (after - before) * part / length


@lru_cache(maxsize=2**16)
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


@dataclass(frozen=True)
class Change:
    """A spot price set by hand; it holds until the next one. None is every zone."""

    at: datetime
    instance_type: str
    zone: str | None
    dollars: Decimal


class Prices:
    """Spot prices now and before; the same for every account."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changes: list[Change] = []
        """In the order of their moments."""

    def current(self) -> list[Change]:
        """What was set by hand and no later one replaced, the oldest first."""
        held: list[Change] = []
        for one in reversed(self._before(self._now())):
            if not any(
                later.instance_type == one.instance_type and later.zone in (None, one.zone)
                for later in held
            ):
                held.append(one)
        return held[::-1]

    def set(
        self,
        instance_type: str,
        zone: str | None,
        dollars: Decimal,
        *,
        at: datetime | None = None,
    ) -> None:
        """That is the price from that moment on, which is now unless said otherwise."""
        change = Change(at or self._now(), instance_type, zone, dollars)
        # Of two at one moment the later word holds.
        bisect.insort_right(self._changes, change, key=lambda one: one.at)

    def _before(self, end: datetime) -> list[Change]:
        return self._changes[: bisect.bisect_right(self._changes, end, key=lambda one: one.at)]

    def _of(self, pool: tuple[str, str], end: datetime) -> list[Change]:
        """Those of the pool, the newest first."""
        found = reversed(self._before(end))
        return [one for one in found if (one.instance_type, one.zone or pool[1]) == pool]

    def spot(self, instance_type: str, zone: str) -> Decimal:
        """The price at this moment."""
        for change in self._of((instance_type, zone), self._now()):
            return change.dollars
        return hourly(instance_type, zone, int(self._clock() // STEP.total_seconds()))

    def history(
        self, query: PriceQuery, *, first: int = 0, count: int = PAGE
    ) -> list[Mapping[str, Any]]:
        """A page of price changes, newest first; the price in force at `start` is among them."""
        now = self._now()
        end = min(query.end or now, now)
        start = min(max(query.start or now - KEPT, now - KEPT), end)
        pools = _pools(query)
        set_by_hand = {pool: found for pool in pools if (found := self._of(pool, end))}
        by_hand = sorted(
            (
                _entry(pool, change.at, change.dollars)
                for pool, changes in set_by_hand.items()
                for change in _since(changes, start)
            ),
            key=lambda one: one["Timestamp"],
            reverse=True,
        )
        first_of = {pool: changes[-1].at for pool, changes in set_by_hand.items()}
        # What the table says counts until the first that was set.
        computed = (
            one
            for one in _computed(pools, start=start, end=end)
            if (over := first_of.get((one["InstanceType"], one["AvailabilityZone"]))) is None
            or (one["Timestamp"] < over and over > start)
        )
        merged = heapq.merge(by_hand, computed, key=lambda one: one["Timestamp"], reverse=True)
        return list(islice(merged, first, first + count))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _since(changes: Sequence[Change], start: datetime) -> list[Change]:
    """Of changes, the newest first: those since then, and the one that was in force."""
    newer = sum(one.at > start for one in changes)
    return list(changes[: newer + 1])


def _pools(query: PriceQuery) -> list[tuple[str, str]]:
    wanted = frozenset(query.instance_types)
    return sorted(
        (offering["InstanceType"], offering["Location"])
        for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(query.region, [])
        if (not wanted or offering["InstanceType"] in wanted)
        and (not query.zones or offering["Location"] in query.zones)
        and "spot"
        in INSTANCE_TYPES.get(offering["InstanceType"], {}).get("SupportedUsageClasses", [])
    )


def _computed(
    pools: Sequence[tuple[str, str]], *, start: datetime, end: datetime
) -> Iterator[Mapping[str, Any]]:
    slot = int(end.timestamp() // STEP.total_seconds())
    while True:
        changed = datetime.fromtimestamp(slot * STEP.total_seconds(), UTC)
        for pool in pools:
            yield _entry(pool, changed, hourly(*pool, slot))
        if changed <= start:
            return
        slot -= 1


def _entry(pool: tuple[str, str], at: datetime, dollars: Decimal) -> Mapping[str, Any]:
    instance_type, zone = pool
    return {
        "AvailabilityZone": zone,
        "InstanceType": instance_type,
        "ProductDescription": PRODUCT,
        "SpotPrice": f"{dollars:f}",
        "Timestamp": at,
    }
