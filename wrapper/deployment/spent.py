"""`cost`: what a notebook has cost so far, and on which assumptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrapper import clock, journal
from wrapper import since as moments
from wrapper.deployment import look, place, remembering
from wrapper.deployment.events import Warned
from wrapper.deployment.reckoning import HISTORY, Reckoning, reckon
from wrapper.errors import CloudsError
from wrapper.home import Home, Record, homes, root
from wrapper.settings import check_name
from wrapper.spending import Keeping, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.deployment.reckoning import Spent
    from wrapper.deployment.world import World
    from wrapper.journal import Journal

SKEW = timedelta(minutes=5)
"""More than that and AWS refuses requests that are signed by such a clock."""


def cost(world: World, name: str | None = None, *, since: str | None = None) -> list[Spent]:
    """What it has cost, or each that this computer remembers. UsageError."""
    if since is not None:
        moments.parse(since, now=_here())
    if name is not None:
        home = Home(root(world.environment) / check_name(name))
        record = home.record()
        if record is None or (record.ended and not journal.read(home).began):
            _, record = look.known(world, name)  # which says what there is
        return [_of(world, home, record, since)]
    return [
        _of(world, home, record, since)
        for home in homes(world.environment)
        if (record := home.record()) and (not record.ended or journal.read(home).began)
    ]


def by_tags(way: Way, name: str, machines: Sequence[Instance], known: Journal) -> Spent:
    """What one name has cost as far as the account tells: launches, CloudTrail, what is held.

    `known` is what this computer saw of it, which may be nothing. Machines that EC2 has forgotten,
    an hour after their end, are in that alone. CloudsError.
    """
    now = _here()
    newest = max(machines, key=lambda one: one.launched_at, default=None)
    for one in machines:
        machine = journal.Machine(one.instance_type, one.zone, one.market)
        known.machines.setdefault(one.instance_id, []).append((one.launched_at, machine))
        known.moments.append(Moment(one.launched_at, "started", one.instance_id))
        if one.state in remembering.RESTS and one.stopped_at:
            known.moments.append(Moment(one.stopped_at, "stopped", one.instance_id))
    for held in way.aws.holdings({name: newest.instance_id if newest else None}):
        began = held.since or now
        known.kept.setdefault(held.id, Keeping(held.kind, held.id, held.gib, began))
    ids = tuple(one.instance_id for one in machines)
    record = Record(name=name, place=way.place, instance_ids=ids)
    return reckon(Reckoning(record, way, _furthest(known, now), now, known))


def _of(world: World, home: Home, record: Record, since: str | None) -> Spent:
    notes: list[str] = []
    way, now = None, _here()
    try:
        way = place.back_to(world, record)
        now = _true_time(world, way)
        if not record.ended:
            remembering.see(world, way, home, record)
    except CloudsError as error:
        notes.append(
            f"The account was not asked, so this computer's journal decides: {error.message}"
        )
    known = journal.read(home)
    first = moments.parse(since, now=now) if since else _furthest(known, now)
    return reckon(Reckoning(record, way, first, now, known, since is None, notes))


def _true_time(world: World, way: Way) -> datetime:
    """AWS's; a wrong clock here is told of."""
    here, true = _here(), way.aws.now()
    wrong = here - true
    if abs(wrong) <= SKEW:
        return here  # AWS tells whole seconds
    minutes = round(abs(wrong).total_seconds() / 60)
    world.report(
        Warned(
            f"This computer's clock is {minutes} minutes {'fast' if wrong > SKEW else 'slow'}; "
            f"AWS's time is used. Set it: {clock.command()}"
        )
    )
    return true


def _furthest(known: Journal, now: datetime) -> datetime:
    return min(known.began or now, now - HISTORY)


def _here() -> datetime:
    return datetime.now(UTC)
