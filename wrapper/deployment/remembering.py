"""What is written to a deployment's journal as it lives. What cannot be written is told of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrapper import journal
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError
from wrapper.spending import Keeping, Moment

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Autostop

RESTS = frozenset({"stopping", "stopped", "shutting-down", "terminated"})


def see(world: World, way: Way, home: Home, record: Record) -> None:
    """The journal knows how each of its machines is now, and what is held."""
    try:
        now = datetime.now(UTC)
        for one in sorted({*record.instance_ids, *filter(None, [record.instance_id])}):
            if found := way.aws.instance(one):
                observe(home, record, found, now=now)
        held = way.aws.holdings({record.name: record.instance_id})
        kept = [Keeping(one.kind, one.id, one.gib, one.since or now) for one in held]
        journal.hold(home, kept, now=now)
    except CloudsError as error:
        world.report(Warned(f"What it costs was not written down: {error.message}"))


def see_rest(world: World, home: Home, record: Record, found: Instance) -> None:
    """The journal knows when a machine at rest stopped: once it is started, EC2 forgets it."""
    try:
        observe(home, record, found)
    except CloudsError as error:
        world.report(Warned(f"When it stopped was not written down: {error.message}"))


def hear(world: World, home: Home, found: Instance, told: Autostop | None) -> None:
    """The journal knows when the machine went down before this boot, as it says itself.

    A shutdown from inside is in no event of CloudTrail, and EC2 tells of it without a time.
    """
    if told is None or told.last_ended is None:
        return
    try:
        at = datetime.fromisoformat(told.last_ended).astimezone(UTC)
        if at < found.launched_at:
            machine = journal.read(home).machine(found.instance_id, at) or _of(found, None)
            journal.add_moment(home, Moment(at, "stopped", found.instance_id), machine)
    except (CloudsError, ValueError) as error:
        world.report(Warned(f"When it stopped was not written down: {error}"))


def _of(found: Instance, hourly: str | None) -> journal.Machine:
    return journal.Machine(found.instance_type, found.zone, found.market, hourly)


def observe(home: Home, record: Record, found: Instance, *, now: datetime | None = None) -> None:
    """The journal knows when the machine started last, and when it stopped if it did. DiskError."""
    hourly = record.hourly_price if found.instance_id == record.instance_id else None
    known = journal.read(home)
    before = known.machine(found.instance_id, found.launched_at)
    machine = _of(found, hourly or (before.hourly if before else None))
    journal.add_moment(home, Moment(found.launched_at, "started", found.instance_id), machine)
    if found.state not in RESTS:
        return
    last = max(
        (one for one in known.moments if one.instance_id == found.instance_id),
        key=lambda one: one.at,
        default=None,
    )
    if found.stopped_at is None and last and last.what != "started":
        return  # EC2 does not tell when; the first time that it was seen is the nearest
    at = found.stopped_at or now or datetime.now(UTC)
    taken = (found.state_reason or "").startswith("Server.Spot")
    what = Moment(
        max(at, found.launched_at), "interrupted" if taken else "stopped", found.instance_id
    )
    journal.add_moment(home, what, machine)
