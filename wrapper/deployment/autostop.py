"""When a machine stops by itself: told to it, and asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper import hours as limits
from wrapper.deployment import awake, guarding, logging_in, look, place, remembering, verify
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError, FailedError, UsageError

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Autostop

_SETTINGS = ("idle_minutes", "max_hours")


def agree(world: World, hours: float | None) -> None:
    """So many hours are wanted. UsageError when not; UnansweredError: nobody can be asked."""
    if not limits.is_more_than_a_month(hours):
        return
    question = f"{hours:g} hours are more than a month, at its price for every one of them. Go on?"
    if not world.confirm(question):
        raise UsageError("Nothing was changed.", hint="--hours 0 is no limit; a week is 168")


@dataclass(frozen=True)
class Before:
    """The deployment before somebody wished something of it."""

    record: Record | None
    rested: bool = False
    """Its machine was stopped: whoever starts it wants all its hours."""


def before(world: World, home: Home, way: Way, record: Record | None) -> Before:
    """How it is now, and the journal knows since when it rests. AwsError."""
    if record is None or record.ended or record.instance_id is None:
        return Before(None)
    found = way.aws.instance(record.instance_id)
    rested = found is not None and found.state in ("stopping", "stopped")
    if found and rested:
        remembering.see_rest(world, home, record, found)
    return Before(record, rested=rested)


def settle(world: World, home: Home, way: Way, was: Before) -> None:
    """The machine knows its times: counted anew if it was started, else where others were said.

    What goes wrong is warned of: the notebook answers, and stops by the times of before.
    """
    record = home.record()
    if record is None:
        return
    said = {one: record.settings[one] for one in _SETTINGS if record.settings.get(one) is not None}
    same = was.record is not None and was.record.instance_id == record.instance_id
    if was.record is not None and same:
        changed = any(value != was.record.settings.get(one) for one, value in said.items())
    else:
        # One that was made just now was told by Terraform.
        changed = limits.is_more_than_a_month(said.get("max_hours"))
    started = was.rested and same
    if same and not started and not changed:
        return
    wish = {"do": "begin" if started else "set", **said} if started or changed else None
    try:
        found = way.aws.instance(record.instance_id or "")
        ip = found.public_ip if found else None
        told = _ask(world, home, record, wish, public_ip=ip) if wish else None
    except CloudsError as error:
        world.report(Warned(f"The machine was not told when to stop by itself: {error.message}"))
        return
    if told is None and changed:
        world.report(Warned(f"--idle, --hours: {_too_old(record)}"))
    if found:
        remembering.hear(world, home, found, told)
    if found and (told or not same):
        ends = guarding.end_of(told) if told else guarding.end_of_new(record, found)
        guarding.guard(world, way, home, found, ends)


def extend(world: World, name: str, hours: float) -> Autostop:
    """The machine runs so many hours longer than it would have. FailedError when it cannot."""
    limits.check_hours(hours, option="extend", none=False)
    home, _ = look.known(world, name)
    agree(world, hours)
    with home.locked(f"extend {name}"):
        return _extend(world, name, hours)


def _extend(world: World, name: str, hours: float) -> Autostop:
    home, record = look.known(world, name)  # as whoever held the lock has left it
    way = place.back_to(world, record)
    found = awake.machine(way, record)
    if found is None or found.state != "running":
        asleep = awake.asleep(way, record, found)
        raise FailedError(f"{asleep.message} It has no hours to be added to.", hint=asleep.hint)
    if record.key_sha256 is None:
        raise FailedError(f"{name} has no verified notebook.", hint=f"python -m wrapper up {name}")
    now = _ask(world, home, record, {}, public_ip=found.public_ip)
    if now is None:
        raise FailedError(_too_old(record), hint=f"python -m wrapper up {name} --replace")
    if now.ends_at is None:
        raise UsageError(
            f"{name} has no end that could be later: its hours have no limit.",
            hint=f"Give it one: python -m wrapper up {name} --hours 12",
        )
    told = _ask(world, home, record, {"do": "extend", "hours": hours}, public_ip=found.public_ip)
    if told is None:
        raise FailedError(_too_old(record), hint=f"python -m wrapper up {name} --replace")
    guarding.guard(world, way, home, found, guarding.end_of(told))
    return told


def _ask(
    world: World,
    home: Home,
    record: Record,
    wish: dict[str, Any],
    *,
    public_ip: str | None = None,
) -> Autostop | None:
    """What the machine knows, once it was told; None from one that knows nothing of it."""
    where = verify.address(record, public_ip)
    pin = world.look_whose(where, record.key_sha256 or "")
    with logging_in.logged_in(world, home, where, pin) as notebook:
        return notebook.autostop(wish)


def _too_old(record: Record) -> str:
    return (
        f"the machine of {record.name} does not stop by itself: it was set up by an older "
        "version, or its phase services failed."
    )
