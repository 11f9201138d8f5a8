"""`up --memory 244 --cpus 32`: the best offer, chosen before anything else is looked at."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper import offers as pure
from wrapper import quotas, since
from wrapper.deployment import its_architecture, offering, question
from wrapper.deployment.events import Note
from wrapper.deployment.market_data import MINUTE, MarketData
from wrapper.deployment.offering import Looking
from wrapper.errors import RequestError
from wrapper.home import Home, root

if TYPE_CHECKING:
    from wrapper.aws import Needs
    from wrapper.deployment.offering import Offered
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Record
    from wrapper.offers import Offer

_LOOKED_AT = 20
"""Offers whose quota is looked at."""


def settled(world: World, wanted: Wanted) -> Wanted:
    """With the type and the zone of the best offer, unless a type was named or one that fits runs.

    RequestError: nothing fits, nothing for that price, or no quota allows it.
    """
    needs, regions = wanted.needs, wanted.regions
    if needs is None or wanted.settings.instance_type:
        return wanted
    record = Home(root(world.environment) / wanted.name).record()
    alive = record if record and not record.ended else None
    if alive and (kept := _still_fits(world, wanted, alive, needs)):
        world.report(Note(f"{kept} has what is needed: it stays."))
        return _of_type(wanted, kept)
    needs = its_architecture.only(world, wanted, record, needs)
    if alive:
        if regions not in ((), ("all",), (alive.place.region,)):
            world.report(
                Note(f"{alive.name} stays in {alive.place.region}: its data does not leave it.")
            )
        regions = (alive.place.region,)
    spot = wanted.settings.over(alive.settings if alive else {}).spot
    looking = Looking(
        needs=needs,
        markets="spot" if spot else "on-demand",
        regions=regions,
        max_price=wanted.max_price,
        limit=_LOOKED_AT,
    )
    region = alive.place.region if alive else wanted.region
    local = alive.place.kind == "local" if alive else wanted.local
    if local and not alive:
        world.embedded().start(report=lambda text: world.report(Note(text)))
    found = offering.offers(world, looking, local=local, region=region)
    best = _best(found)
    world.report(Note(_why(best, found)))
    chosen = _of_type(wanted, best.instance_type)
    return dataclasses.replace(chosen, region=best.region, zone=best.zone)


def _of_type(wanted: Wanted, instance_type: str) -> Wanted:
    settings = dataclasses.replace(wanted.settings, instance_type=instance_type)
    return dataclasses.replace(wanted, settings=settings)


def _still_fits(world: World, wanted: Wanted, record: Record, needs: Needs) -> str | None:
    """The type that it has, when that is enough: a price that moved is no reason for another."""
    name = question.instance_type(record)
    local = record.place.kind == "local"
    data = MarketData(world, local=local, region=wanted.region or record.place.region)
    kinds = data.kinds(record.place.region, [name])
    return name if any(pure.fits(one, needs) for one in kinds) else None


def _best(found: Offered) -> Offer:
    """The cheapest that the quota allows."""
    for one in found.offers:
        if one.allowed is not False:
            return one
    first = found.offers[0]
    code = first.quota_code or ""
    raise RequestError(
        f"No quota allows any of the {len(found.offers)} cheapest: {first.instance_type} has "
        f"{first.cpus} vCPUs, the account may run {first.quota_vcpus} of its family "
        f"({first.market}) in {first.region}, by the quota {code}.",
        hint=f"{quotas.request(code, first.region, first.cpus)} asks for more, which may take a "
        f"day ({quotas.page(code, first.region)}). Or the other market, another region "
        "(--regions all).",
    )


def _why(best: Offer, found: Offered) -> str:
    where = best.zone or best.region
    among = f"{found.types} types that fit"
    if len(found.regions) > 1:
        among += f" in {len(found.regions)} regions"
    size = f"{best.memory_gib:g} GiB, {best.cpus} vCPUs"
    if best.gpus:
        size += f", {best.gpus} x {best.gpu}"
    text = (
        f"{best.instance_type} ({size}) in {where}, {best.market}: ${best.hourly_price:.3f} an "
        f"hour, the cheapest of {among}"
    )
    skipped = next(index for index, one in enumerate(found.offers) if one is best)
    if skipped:
        text += f" whose quota allows it ({skipped} cheaper ones not)"
    if best.saving:
        text += f"; {best.saving:.0%} below on-demand"
    if found.oldest > MINUTE and (ages := since.ages(found.ages)):
        text += f" (kept from before: {ages}; offers --refresh asks anew)"
    return f"{text}."
