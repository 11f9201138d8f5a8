"""What an account holds of deployments, in all its regions: also what other computers made."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from wrapper import journal
from wrapper.deployment import monthly, place, spent, take_down
from wrapper.deployment.events import Step, Warned
from wrapper.deployment.place import Way
from wrapper.errors import AwsError, CloudsError, CredentialsError, UsageError
from wrapper.home import homes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.aws import Instance, Leftover
    from wrapper.deployment.kept import Kept
    from wrapper.deployment.world import World
    from wrapper.home import Home

SIDE_BY_SIDE = 8
"""Regions asked at once: each has its own limits, this computer has one network."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one name has in one region; its field names are a contract."""

    name: str
    region: str
    known: bool
    """Made on this computer, which remembers it: `down` ends it."""
    state: str
    """Of its machine; "absent" when there is none."""
    instance_id: str | None
    instance_type: str | None
    market: str | None
    hourly_price: float | None
    """US dollars for a running machine; None when none runs, or EC2 does not tell."""
    monthly_price: float
    """US dollars a month, by list price, of what costs while nothing runs: disks, addresses."""
    spent: float | None
    """US dollars so far, about, by list and spot prices; None when it could not be reckoned."""
    left: tuple[str, ...]
    """All of it, as `kind id`."""
    kept: tuple[Kept, ...]
    """Data that was kept on purpose: not a part of it any more."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Census:
    """All that was found, and the ways to it."""

    found: tuple[Found, ...]
    ways: dict[str, Way]
    """By region."""
    unsearched: tuple[str, ...] = ()
    """Regions that did not answer: what is there, nobody knows."""


def census(world: World, *, local: bool = False, regions: Sequence[str] = ()) -> Census:
    """What there is, by region and name. UsageError: no such region; a denied one is told of.

    AwsError, CredentialsError when none of them answers.
    """
    first = place.search(world, local=local, region=None)
    there = first.aws.regions()
    if unknown := sorted({*regions} - {*there}):
        raise UsageError(
            f"Not a region that this account can use: {', '.join(unknown)}.",
            hint=f"One of: {', '.join(there)}",
        )
    ways = {one: _way(first, one) for one in regions or there}
    world.report(Step(f"Searching {len(ways)} regions by tag"))
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        told = dict(zip(ways, pool.map(_in, repeat(world), ways.values()), strict=True))
    failed = {region: one for region, one in told.items() if isinstance(one, CloudsError)}
    if failed and len(failed) == len(told):
        raise next(iter(failed.values()))
    for region, error in failed.items():
        world.report(Warned(f"{region} was not searched: {error.message}"))
    found = [one for some in told.values() if not isinstance(some, CloudsError) for one in some]
    found.sort(key=lambda one: (one.region, one.name))
    return Census(tuple(found), ways, tuple(failed))


def _way(first: Way, region: str) -> Way:
    place_there = dataclasses.replace(first.place, region=region)
    return Way(place_there, first.aws.elsewhere(region), first.local)


def _in(world: World, way: Way) -> list[Found] | CloudsError:
    """The error of a region that does not answer, or not this caller."""
    try:
        return [one for name in way.aws.names() if (one := _look(world, way, name))]
    except (AwsError, CredentialsError) as error:
        return error


def _look(world: World, way: Way, name: str) -> Found | None:
    """None when only tags of what has ended are left, which EC2 shows for an hour."""
    left = way.aws.leftovers(name)
    kept = take_down.kept_of(way, name)
    if not left and not kept:
        return None
    machines = [one for one in (way.aws.instance(one) for one in _machines(left)) if one]
    machine = max(machines, key=lambda one: one.launched_at, default=None)
    running = machine if machine and machine.state in ("pending", "running") else None
    price = (
        way.aws.hourly_price(running.instance_type, running.zone, running.market)
        if running
        else None
    )
    home = _home(world, way, name)
    return Found(
        name=name,
        region=way.place.region,
        known=home is not None,
        state=machine.state if machine else "absent",
        instance_id=machine.instance_id if machine else None,
        instance_type=machine.instance_type if machine else None,
        market=machine.market if machine else None,
        hourly_price=None if price is None else float(price),
        monthly_price=round(sum(monthly.of_leftovers(left, way.place.region).values()), 2),
        spent=_spent(way, name, machines, home),
        left=tuple(f"{one.kind} {one.id}" for one in left),
        kept=kept,
    )


def _machines(left: Sequence[Leftover]) -> list[str]:
    return [one.id for one in left if one.kind == "instance"]


def _spent(way: Way, name: str, machines: Sequence[Instance], home: Home | None) -> float | None:
    """By what the account tells, and this computer's journal if it has one."""
    known = journal.read(home) if home else journal.Journal()
    try:
        return spent.by_tags(way, name, machines, known).total
    except CloudsError:
        return None


def _home(world: World, way: Way, name: str) -> Home | None:
    """Where this computer remembers it."""
    for home in homes(world.environment):
        record = home.record() if home.name == name else None
        if record and not record.ended and record.place == way.place:
            return home
    return None
