"""`offers`: what fits, ranked by price, over as many regions as are asked for."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import offers as pure
from wrapper.deployment.enriching import Search, enrich
from wrapper.deployment.events import Step
from wrapper.deployment.market_data import MarketData
from wrapper.errors import CloudsError, CredentialsError, RequestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from wrapper.aws import Kind, Needs, SpotPrice
    from wrapper.deployment.world import World
    from wrapper.offers import Markets, Offer

SIDE_BY_SIDE = 20
"""Questions at a time: each region has limits of its own."""
_CHUNK = 100
"""Types asked about at a time."""


@dataclass(frozen=True, kw_only=True)
class Looking:
    """What somebody wants to be offered."""

    needs: Needs
    markets: Markets = "spot"
    regions: tuple[str, ...] = ()
    """None: the one in use; "all": every one that the account can use."""
    max_price: float | None = None
    """US dollars an hour."""
    limit: int = 20


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What there is."""

    offers: tuple[Offer, ...]
    """The cheapest first, no more than were asked for."""
    found: int
    """How many there were."""
    types: int
    regions: tuple[str, ...]
    oldest: float
    """Seconds since the oldest of the answers that were kept from before; 0 for none."""
    ages: dict[str, float]
    """Likewise, by what was told."""


def offers(
    world: World,
    looking: Looking,
    *,
    local: bool = False,
    region: str | None = None,
    refresh: bool = False,
) -> Offered:
    """What has as much as is needed, the cheapest first.

    UsageError: no such region; RequestError: nothing fits, or nothing for that price.
    """
    data = MarketData(world, local=local, region=region, refresh=refresh)
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        search = Search(world, data, pool)
        regions = _regions(search, looking.regions)
        where = regions[0] if len(regions) == 1 else f"{len(regions)} regions"
        world.report(Step(f"Asking {where} what fits, and its price"))
        names, prices = _ask_regions(search, regions, looking)
        kinds = _kinds(search, names, looking.needs)
        if not kinds:
            raise search.failures[0] if search.failures else _nothing(search, regions, looking)
        found = _priced(search, looking, kinds, names, prices)
        if not found and search.failures:
            raise search.failures[0]
        short = _affordable(found, looking)[: looking.limit]
        full = enrich(search, short)
    data.cache.sweep()
    return Offered(
        offers=tuple(full),
        found=len(found),
        types=len({one.instance_type for one in found}),
        regions=tuple(regions),
        oldest=data.cache.oldest,
        ages=dict(data.ages),
    )


def _regions(search: Search, wanted: Sequence[str]) -> list[str]:
    if not wanted:
        return [search.data.region()]
    if wanted == ("all",):
        return search.data.regions()
    nobody: list[str] = []
    there = search.ask("the account's regions", search.data.regions, nobody)
    if not there:
        return sorted({*wanted})  # EC2 will tell of each whether it is one
    if unknown := sorted({*wanted} - {*there}):
        raise UsageError(
            f"Not a region that this account can use: {', '.join(unknown)}.",
            hint=f"One of: {', '.join(there)}. Others are enabled in the account's settings: "
            "https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html",
        )
    return sorted({*wanted})


def _ask_regions(
    search: Search, regions: Sequence[str], looking: Looking
) -> tuple[dict[str, list[str]], dict[str, list[SpotPrice]]]:
    """Names that fit, and spot prices, by region; who may not ask for one is told the other."""

    def one(region: str) -> tuple[list[str], list[SpotPrice]]:
        nobody: list[str] = []
        names = search.ask(region, lambda: _names(search, region, looking.needs), nobody)
        if looking.markets == "on-demand" or not names:
            return names, []
        nothing: list[SpotPrice] = []
        prices = search.ask(
            f"spot prices in {region}", lambda: search.data.spot_prices(region, names), nothing
        )
        return names, prices

    told = dict(zip(regions, search.pool.map(one, regions), strict=True))
    return {key: names for key, (names, _) in told.items()}, {
        key: prices for key, (_, prices) in told.items()
    }


def _names(search: Search, region: str, needs: Needs) -> list[str]:
    """Of the types that fit; who may not ask EC2 which those are looks at all of them."""
    try:
        return search.data.fitting(region, needs)
    except CredentialsError as error:
        try:
            return [one.name for one in search.data.every(region) if pure.fits(one, needs)]
        except CloudsError:
            raise error from None


def _kinds(search: Search, names: Mapping[str, Sequence[str]], needs: Needs) -> dict[str, Kind]:
    """Each type once, asked of a region that has it."""
    of_region: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for region in sorted(names, key=lambda one: -len(names[one])):
        of_region[region] += [one for one in names[region] if one not in seen]
        seen |= {*names[region]}
    chunks = [
        (region, some[first : first + _CHUNK])
        for region, some in of_region.items()
        for first in range(0, len(some), _CHUNK)
    ]

    def one(chunk: tuple[str, list[str]]) -> list[Kind]:
        return search.ask("types", lambda: search.data.kinds(*chunk), [])

    found = [kind for some in search.pool.map(one, chunks) for kind in some]
    return {kind.name: kind for kind in found if pure.fits(kind, needs)}


def _priced(
    search: Search,
    looking: Looking,
    kinds: Mapping[str, Kind],
    names: Mapping[str, Sequence[str]],
    prices: Mapping[str, Sequence[SpotPrice]],
) -> list[Offer]:
    found = [one for region, some in prices.items() for one in pure.of_spot(kinds, region, some)]
    if looking.markets != "spot":
        unpriced: dict[tuple[str, str], Decimal] = {}
        listed = search.ask(
            "on-demand prices", lambda: search.data.on_demand(kinds, sorted(names)), unpriced
        )
        found += pure.of_list(kinds, listed)
    return pure.ranked(found)


def _affordable(found: Sequence[Offer], looking: Looking) -> list[Offer]:
    """RequestError when that is nothing."""
    if not found:
        raise RequestError(
            f"What fits is not sold as {looking.markets} there.",
            hint="--market both, or --regions all",
        )
    most = looking.max_price
    kept = [one for one in found if most is None or one.hourly_price <= most]
    if not kept:
        best = found[0]
        raise RequestError(
            f"Nothing that fits costs ${most:g} an hour or less: the cheapest is "
            f"{best.instance_type} in {best.zone or best.region} for ${best.hourly_price:.3f}.",
            hint=f"--max-price {best.hourly_price * 1.05:.2f}, or --regions all",
        )
    return kept


def _nothing(search: Search, regions: Sequence[str], looking: Looking) -> RequestError:
    """Nothing fits: what comes nearest."""
    less = looking.needs
    near: list[Kind] = []
    while len(near) < 3 and (less.memory_gib or less.cpus or less.gpus):  # noqa: PLR2004 (three)
        less = pure.halved(less)
        names = _names(search, regions[0], less)
        chunks = [names[first : first + _CHUNK] for first in range(0, len(names), _CHUNK)]
        kinds = search.pool.map(lambda some: search.data.kinds(regions[0], some), chunks)
        near = pure.nearest((one for some in kinds for one in some), looking.needs)
    told = "; ".join(
        f"{one.name} ({one.memory_gib:g} GiB, {one.cpus} vCPUs"
        + (f", {one.gpus} x {one.gpu} of {one.gpu_memory_gib:g} GiB)" if one.gpus else ")")
        for one in near
    )
    where = regions[0] if len(regions) == 1 else f"{len(regions)} regions"
    return RequestError(
        f"No type in {where} has all of that. The nearest: {told or 'none'}.",
        hint="Ask for less, or look everywhere: --regions all",
    )
