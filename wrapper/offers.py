"""Offers: which machine has what is needed, where, and for how much. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrapper import quotas
from wrapper.gpus import nvidia

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from wrapper.aws import Kind, Market, Needs, SpotPrice

Markets = Literal["spot", "on-demand", "both"]
DAY = 86400.0
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A type at its cheapest place in a region; the field names are a contract."""

    instance_type: str
    region: str
    zone: str | None
    """None on-demand, whose price is the region's."""
    market: Market
    hourly_price: float
    """US dollars."""
    memory_gib: float
    cpus: int
    architecture: str
    gpus: int = 0
    gpu: str | None = None
    gpu_memory_gib: float = 0.0
    on_demand_price: float | None = None
    saving: float | None = None
    """Part of the on-demand price that is not paid."""
    days: tuple[float, ...] = ()
    """Mean spot price of each day, the oldest first."""
    placement_score: int | None = None
    """1 to 10, of the zone, for a request that takes any of the types on the list."""
    quota_vcpus: int | None = None
    """What the account may run at a time, in that market and family."""
    quota_code: str | None = None
    """Of that quota, in Service Quotas; None for the rarer families."""

    @property
    def allowed(self) -> bool | None:
        """Whether the quota is enough for one; None where it is not known."""
        return None if self.quota_vcpus is None else self.quota_vcpus >= self.cpus


def fits(kind: Kind, needs: Needs) -> bool:
    """It has what is needed, and runs with a data volume; its GPUs have an image with a driver."""
    return (
        kind.nitro
        and kind.memory_gib >= needs.memory_gib
        and kind.cpus >= needs.cpus
        and kind.gpus >= needs.gpus
        and (not needs.gpus or nvidia(kind.name))
        and (not needs.gpus or kind.gpu_memory_gib >= needs.gpu_memory_gib)
        and kind.architecture in needs.architectures
    )


def of_spot(kinds: Mapping[str, Kind], region: str, prices: Iterable[SpotPrice]) -> list[Offer]:
    """Each type in the zone of the region where it is cheapest now."""
    cheapest: dict[str, SpotPrice] = {}
    for one in prices:
        held = cheapest.get(one.instance_type)
        if held is None or (one.dollars, one.zone) < (held.dollars, held.zone):
            cheapest[one.instance_type] = one
    return [
        _offer(kinds[name], region, one.zone, "spot", one.dollars)
        for name, one in cheapest.items()
        if name in kinds and kinds[name].spot
    ]


def of_list(kinds: Mapping[str, Kind], prices: Mapping[tuple[str, str], Decimal]) -> list[Offer]:
    """On-demand, by region."""
    return [
        _offer(kinds[name], region, None, "on-demand", dollars)
        for (name, region), dollars in prices.items()
        if name in kinds
    ]


def ranked(offers: Iterable[Offer]) -> list[Offer]:
    """The cheapest first; of those that cost the same, the larger."""
    return sorted(
        offers,
        key=lambda one: (
            one.hourly_price,
            -one.memory_gib,
            -one.cpus,
            one.instance_type,
            one.region,
        ),
    )


def halved(needs: Needs) -> Needs:
    """Half of each, rounded up; the architectures stay."""
    return dataclasses.replace(
        needs,
        memory_gib=needs.memory_gib / 2 if needs.memory_gib > 1 else 0,
        cpus=needs.cpus // 2,
        gpus=needs.gpus // 2,
        gpu_memory_gib=needs.gpu_memory_gib / 2 if needs.gpu_memory_gib > 1 else 0,
    )


def nearest(kinds: Iterable[Kind], needs: Needs, count: int = 3) -> list[Kind]:
    """Those that lack the least of what is needed, by parts of it."""
    asked: tuple[tuple[float, Callable[[Kind], float]], ...] = (
        (needs.memory_gib, lambda kind: kind.memory_gib),
        (needs.cpus, lambda kind: kind.cpus),
        (needs.gpus, lambda kind: kind.gpus),
        (needs.gpu_memory_gib, lambda kind: kind.gpu_memory_gib),
    )

    def lack(kind: Kind) -> tuple[float, float, str]:
        missing = sum(max(0.0, 1 - has(kind) / least) for least, has in asked if least)
        return missing, kind.memory_gib, kind.name

    usable = (one for one in kinds if one.nitro and (not needs.gpus or nvidia(one.name)))
    return sorted(usable, key=lack)[:count]


def enriched(
    offer: Offer,
    *,
    on_demand: Decimal | None,
    days: Sequence[float],
    score: int | None,
    quota: int | None,
) -> Offer:
    """The same, with all that is known of it."""
    full = None if on_demand is None else float(on_demand)
    spot = offer.market == "spot"
    return dataclasses.replace(
        offer,
        on_demand_price=full,
        saving=1 - offer.hourly_price / full if full and spot else None,
        days=tuple(days),
        placement_score=score,
        quota_vcpus=quota,
    )


def daily(changes: Sequence[SpotPrice], end: datetime, days: int) -> list[float]:
    """Mean of each of so many days before `end`; changes of one pool, the oldest first."""
    last = end.timestamp()
    bounds = [last - day * DAY for day in range(days, -1, -1)]
    totals, lengths = [0.0] * days, [0.0] * days
    since = [one.since.timestamp() for one in changes]
    day = 0
    for one, begin, until in zip(changes, since, [*since[1:], last], strict=False):
        dollars = float(one.dollars)
        while day < days:
            length = min(bounds[day + 1], until) - max(bounds[day], begin)
            if length > 0:
                totals[day] += dollars * length
                lengths[day] += length
            if until < bounds[day + 1]:
                break
            day += 1
    return [total / length for total, length in zip(totals, lengths, strict=True) if length]


def sparkline(values: Sequence[float], width: int = 15) -> str:
    """The values as bars between their least and most, as wide at most."""
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    means = [
        sum(values[first : first + size]) / len(values[first : first + size])
        for first in range(0, len(values), size)
    ]
    low, high = min(means), max(means)
    if high - low < 0.005 * high:  # half a per cent is no movement
        return _BARS[3] * len(means)
    scale = (len(_BARS) - 1) / (high - low)
    return "".join(_BARS[round((one - low) * scale)] for one in means)


def _offer(kind: Kind, region: str, zone: str | None, market: Market, dollars: Decimal) -> Offer:
    return Offer(
        instance_type=kind.name,
        region=region,
        zone=zone,
        market=market,
        hourly_price=float(dollars),
        memory_gib=kind.memory_gib,
        cpus=kind.cpus,
        architecture=kind.architecture,
        gpus=kind.gpus,
        gpu=kind.gpu,
        gpu_memory_gib=kind.gpu_memory_gib,
        quota_code=quotas.code(kind.name, market),
    )
