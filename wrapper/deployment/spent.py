"""`cost`: what a notebook has cost so far, and on which assumptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrapper import journal
from wrapper import since as moments
from wrapper.deployment import look, place, remembering
from wrapper.deployment.events import Warned
from wrapper.deployment.reckoning import HISTORY, Reckoning, reckon
from wrapper.errors import CloudsError
from wrapper.home import Home, homes, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.reckoning import Spent
    from wrapper.deployment.world import World
    from wrapper.home import Record
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
            "AWS's time is used. Set it: sudo timedatectl set-ntp true"
        )
    )
    return true


def _furthest(known: Journal, now: datetime) -> datetime:
    return min(known.began or now, now - HISTORY)


def _here() -> datetime:
    return datetime.now(UTC)
