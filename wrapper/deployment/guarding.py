"""The last guard of a machine's hours: AWS stops it, even where the machine hangs.

The machine ends its hours by itself, after it has saved. The schedule comes later: JupyterLab
may add hours, and the wrapper alone can move the schedule.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from wrapper import hours
from wrapper.deployment import coming_back
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Autostop

GRACE = timedelta(hours=3)
"""Three times "One more hour" fits in; a machine that hangs costs no more than that."""


def guard(world: World, way: Way, home: Home, found: Instance, ends: datetime | None) -> None:
    """AWS ends the machine after that; what stands in the way is remembered for `status`."""
    record = home.record()
    if record is None:
        return
    if ends is None:
        release(world, way, home, record)
        return
    was, at = record.guard.get("at"), ends + GRACE
    # Before it is made: who is killed now still has it removed by `down`.
    record = _remember(home, record, {"at": at.isoformat(timespec="seconds")})
    try:
        way.aws.put_schedule(record.name, found.instance_id, _action(way, record, found), at)
    except CloudsError as error:
        # Its role may have been made all the same, and an earlier schedule guards no more.
        gone = _removed(way, record.name)
        kept = {"at": was} if was and not gone else {}
        _remember(home, record, {**kept, "refused": error.message})


def end_of(told: Autostop) -> datetime | None:
    """When the machine ends its hours; None is never."""
    return datetime.fromisoformat(told.ends_at) if told.ends_at else None


def end_of_new(record: Record, found: Instance) -> datetime | None:
    """Likewise, of one that was made just now, which counts from its boot."""
    lasts = record.settings.get("max_hours")
    lasts = hours.MAX_HOURS if lasts is None else lasts
    return found.launched_at + timedelta(hours=lasts) if lasts else None


def release(world: World, way: Way, home: Home, record: Record) -> Record:
    """Nothing is scheduled for it. What could not be removed is told of."""
    if "at" not in record.guard:
        return record
    try:
        way.aws.remove_schedule(record.name)
    except CloudsError as error:
        world.report(Warned(f"A schedule and its role may be left: {error.message}"))
        return record
    return _remember(home, record, {})


def end(world: World, way: Way, home: Home | None, record: Record) -> None:
    """As `release`, of what is down; of who is not known here it is tried in silence."""
    if home:
        release(world, way, home, record)
        return
    _removed(way, record.name)


def _removed(way: Way, name: str) -> bool:
    try:
        way.aws.remove_schedule(name)
    except CloudsError:
        return False
    return True


def _remember(home: Home, record: Record, guard: dict[str, str]) -> Record:
    return home.remember(dataclasses.replace(record, guard=guard))


def in_words(record_guard: dict[str, str], told: Autostop | None) -> str | None:
    """For `status`; None where there is nothing to tell."""
    if refused := record_guard.get("refused"):
        return f"none but the machine itself: {refused}"
    if (at := record_guard.get("at")) is None:
        return None
    words = f"AWS stops it at {hours.moment(at)}, even where it hangs"
    if told and told.ends_at and datetime.fromisoformat(at) < datetime.fromisoformat(told.ends_at):
        words += ", before its own end: python -m wrapper extend moves it"
    return words


def _action(way: Way, record: Record, found: Instance) -> Literal["stop", "terminate"]:
    """A one-time spot machine cannot be stopped; of its request no other machine comes."""
    if found.market != "spot":
        return "stop"
    request = coming_back.machines_request(way, record)
    return "terminate" if request and not request.persistent else "stop"
