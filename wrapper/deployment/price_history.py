"""`prices`: what a type cost on spot, zone by zone. Nothing changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from wrapper import offers as pure
from wrapper.deployment import question
from wrapper.deployment.events import Warned
from wrapper.deployment.market_data import MarketData
from wrapper.errors import CloudsError, RequestError, UsageError
from wrapper.home import Home, homes, root

if TYPE_CHECKING:
    from wrapper.aws import SpotPrice
    from wrapper.deployment.world import World
    from wrapper.home import Record

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class InZone:
    """Prices in one zone, in US dollars an hour; the field names are a contract."""

    zone: str
    now: float
    least: float
    mean: float
    most: float
    in_use: bool
    changes: tuple[tuple[str, float], ...]
    """Moment (ISO 8601) and price, the oldest first; the first holds at the beginning."""
    days: tuple[float, ...]
    """Mean of each day, the oldest first."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a type costs in a region."""

    instance_type: str
    region: str
    since: str
    until: str
    on_demand_price: float | None
    zones: tuple[InZone, ...]
    """The cheapest now first."""
    ages: dict[str, float]
    """Seconds since what was kept from before was told, by what it is."""


def prices(  # noqa: PLR0913 (each is an option)
    world: World,
    what: str,
    *,
    days: int,
    local: bool = False,
    region: str | None = None,
    refresh: bool = False,
) -> Prices:
    """Of a type, or of a deployment's. UsageError: neither; RequestError: no spot there."""
    record = _record(world, what)
    if record is None and "." not in what:
        raise UsageError(
            f"{what!r} is neither a deployment of this computer nor an instance type.",
            hint="python -m wrapper list, or: python -m wrapper prices r6i.8xlarge",
        )
    kind = question.instance_type(record) if record else what
    if record:
        local, region = record.place.kind == "local", record.place.region
    data = MarketData(world, local=local, region=region, refresh=refresh)
    where = data.region()
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    changes = data.spot_history(where, [kind], days)
    if not changes:
        raise RequestError(
            f"EC2 has no spot price of {kind} in {where}.",
            hint="Another region (--region), or is that a type? python -m wrapper offers --cpus 2",
        )
    in_use = record.outputs.get("availability_zone") if record else None
    zones = [
        _in_zone(zone, [*some], since, until, in_use=zone == in_use)
        for zone, some in groupby(changes, key=lambda one: one.zone)
    ]
    full = _on_demand(world, data, kind, where)
    return Prices(
        instance_type=kind,
        region=where,
        since=since.isoformat(timespec="seconds"),
        until=until.isoformat(timespec="seconds"),
        on_demand_price=full,
        zones=tuple(sorted(zones, key=lambda one: (one.now, one.zone))),
        ages=dict(data.ages),
    )


def _record(world: World, name: str) -> Record | None:
    """Of a live deployment of that name."""
    if name not in {one.name for one in homes(world.environment)}:
        return None
    record = Home(root(world.environment) / name).record()
    return record if record and not record.ended else None


def _in_zone(
    zone: str, changes: list[SpotPrice], since: datetime, until: datetime, *, in_use: bool
) -> InZone:
    held = [(max(one.since, since), float(one.dollars)) for one in changes]
    spans = [
        (then - at, price)
        for (at, price), then in zip(held, [*(at for at, _ in held[1:]), until], strict=True)
    ]
    length = sum((span.total_seconds() for span, _ in spans), 0.0) or 1.0
    dollars = [price for _, price in held]
    return InZone(
        zone=zone,
        now=dollars[-1],
        least=min(dollars),
        mean=sum(span.total_seconds() * price for span, price in spans) / length,
        most=max(dollars),
        in_use=in_use,
        changes=tuple((at.isoformat(timespec="seconds"), price) for at, price in held),
        days=tuple(pure.daily(changes, until, max(1, round((until - since) / _DAY)))),
    )


def _on_demand(world: World, data: MarketData, kind: str, region: str) -> float | None:
    try:
        found = data.on_demand([kind], [region]).get((kind, region))
    except CloudsError as error:
        world.report(Warned(f"The on-demand price is not known. {error.message}"))
        return None
    return None if found is None else float(found)
