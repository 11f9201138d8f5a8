"""Offers with all that is known of them: list prices, movement, chances, quotas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from wrapper import offers as pure
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from decimal import Decimal

    from wrapper.aws import SpotPrice
    from wrapper.deployment.market_data import MarketData
    from wrapper.deployment.world import World
    from wrapper.offers import Offer

_Answer = TypeVar("_Answer")
DAYS = 30
"""Of price movement."""


@dataclass
class Search:
    """A search, and what it was not told."""

    world: World
    data: MarketData
    pool: ThreadPoolExecutor
    failures: list[CloudsError] = field(default_factory=list)

    def ask(self, what: str, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        """What the call returns; what it may not costs that answer alone, and is said."""
        try:
            return call()
        except CloudsError as error:
            if not any(one.message == error.message for one in self.failures):
                self.world.report(Warned(f"{what}: not known. {error.message}"))
            self.failures.append(error)
            return otherwise


def enrich(search: Search, short: Sequence[Offer]) -> list[Offer]:
    """With the on-demand price, the movement, the chance and the quota of each."""
    data, pool = search.data, search.pool
    regions = sorted({one.region for one in short})
    every = sorted({one.instance_type for one in short})
    spot = sorted({one.instance_type for one in short if one.market == "spot"})
    no_prices: dict[tuple[str, str], Decimal] = {}
    listed = pool.submit(
        search.ask, "on-demand prices", lambda: data.on_demand(every, regions), no_prices
    )
    no_scores: dict[tuple[str, str], int] = {}
    scores = pool.submit(
        search.ask,
        "placement scores",
        lambda: data.scores(spot, regions) if spot else no_scores,
        no_scores,
    )
    # Zone by zone: a region tells the prices of all its zones, and each offer is of one.
    places: list[tuple[str, str]] = sorted({(one.region, one.zone) for one in short if one.zone})
    in_place = {
        place: sorted({one.instance_type for one in short if (one.region, one.zone) == place})
        for place in places
    }
    told = pool.map(lambda one: _history(search, one[0], one[1], in_place[one]), places)
    pools = {key: days for some in told for key, days in some.items()}
    ids = dict(zip(regions, pool.map(lambda one: _zone_ids(search, one), regions), strict=True))
    codes = sorted({(one.region, one.quota_code) for one in short if one.quota_code})
    told_quotas = pool.map(lambda one: _quota(search, *one), codes)
    quotas = dict(zip(codes, told_quotas, strict=True))
    return [
        pure.enriched(
            one,
            on_demand=listed.result().get((one.instance_type, one.region)),
            days=pools.get((one.instance_type, one.zone or ""), []),
            score=scores.result().get((one.region, ids[one.region].get(one.zone or "", ""))),
            quota=quotas.get((one.region, one.quota_code or "")),
        )
        for one in short
    ]


def _history(
    search: Search, region: str, zone: str, types: list[str]
) -> dict[tuple[str, str], list[float]]:
    nothing: list[SpotPrice] = []
    changes = search.ask(
        "price movement", lambda: search.data.spot_history(region, types, DAYS, zone=zone), nothing
    )
    pools: defaultdict[tuple[str, str], list[SpotPrice]] = defaultdict(list)
    for one in changes:
        pools[one.instance_type, one.zone].append(one)
    # To the hour: the same prices are the same days, asked a minute later.
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {key: pure.daily(some, now, DAYS) for key, some in pools.items()}


def _zone_ids(search: Search, region: str) -> dict[str, str]:
    nothing: dict[str, str] = {}
    return search.ask("zones", lambda: search.data.zone_ids(region), nothing)


def _quota(search: Search, region: str, code: str) -> int | None:
    return search.ask("quotas", lambda: search.data.quota(region, code), None)
