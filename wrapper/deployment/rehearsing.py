"""`interrupt`: a spot interruption rehearsed, and what it came to, in seconds."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wrapper import console, refusals
from wrapper.deployment import answering, awake, coming_back, experiments, look, place
from wrapper.deployment.events import Note, Step
from wrapper.deployment.going import Going
from wrapper.deployment.progress import Meter
from wrapper.deployment.watch import Watch
from wrapper.errors import AwsError, Interrupted, NoAnswerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record

Told = console.Noticed | console.Rescued
SHORTEST, LONGEST = 120, 900
"""Seconds of notice that FIS takes on AWS; the embedded one takes fewer."""
EVERY = 1.0
RETURN_WITHIN = 15 * 60.0
"""Seconds until EC2's not starting it again is told, and not waited for any longer."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What one interruption came to; its field names are a contract."""

    name: str
    instance_id: str
    notice_seconds: int
    """Between the notice and the end that was asked for."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the rescue, by name: seconds, ok, failed; as the machine told them."""
    notice_to_saved: float | None = None
    """Seconds; None when the machine told of no rescue."""
    notice_to_stopped: float | None = None
    capacity_to_answering: float | None = None
    """Seconds from EC2's starting it again to a verified notebook."""
    url: str | None = None
    """None: it does not come back by itself."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def interrupt(
    world: World, name: str, *, after: int | None = None, role_arn: str | None = None
) -> Rehearsal:
    """The machine was interrupted as EC2 does it, and answers again; a one-time one is gone.

    UsageError: no spot. NoAnswerError when it does not come back; AwsError when it could not be
    sent.
    """
    home, record = look.known(world, name)
    seconds = _seconds(record, after)
    with home.locked(f"interrupt {name}"):
        way = place.back_to(world, record)
        taken = machine(way, record)
        question = (
            f"EC2 gives {taken.instance_id} its notice now and takes it {seconds} s later: "
            "running cells end, what is saved stays. Go on?"
        )
        if not world.confirm(question):
            raise UsageError("Nothing was interrupted.", hint=f"python -m wrapper status {name}")
        try:
            record = experiments.begin(world, way, home, record)
            seen = _watch_it_go(world, way, record, taken, seconds, role_arn)
            record = experiments.end(home, record)
            if _ended(world, way, taken):
                return seen
            back = _watch_it_return(world, way, record)
            meter = Meter(world.report)
            watch = Watch(world.aws_like(way), name, meter.event)
            done = answering.answer(Going(world, home, way, meter, watch), record)
        except KeyboardInterrupt as error:
            raise Interrupted(
                "Interrupted; the machine's interruption goes on.",
                hint=f"python -m wrapper up {name} --watch",
            ) from error
    took = round(time.monotonic() - back, 1)
    return dataclasses.replace(seen, capacity_to_answering=took, url=done.summary.url)


def _seconds(record: Record, after: int | None) -> int:
    if record.place.kind == "local":
        return SHORTEST if after is None else after
    if after is not None and not SHORTEST <= after <= LONGEST:
        raise UsageError(
            f"--after {after}: on AWS a notice is {SHORTEST} to {LONGEST} seconds long.",
            hint=f"--after {SHORTEST}, or rehearse on the embedded EC2",
        )
    return SHORTEST if after is None else after


def machine(way: Way, record: Record) -> Instance:
    """The spot machine that runs, and can be interrupted. UsageError."""
    found = awake.machine(way, record)
    if found and found.market != "spot":
        raise UsageError(
            f"{found.instance_id} is on-demand: EC2 interrupts spot machines only.",
            hint=f"As spot: python -m wrapper up {record.name} --spot",
        )
    if found is None or found.state != "running":
        asleep = awake.asleep(way, record, found)
        raise UsageError(asleep.message, hint=asleep.hint)
    return found


def _watch_it_go(  # noqa: PLR0913, PLR0917 (the parts of one rehearsal)
    world: World, way: Way, record: Record, machine: Instance, seconds: int, role: str | None
) -> Rehearsal:
    """The machine is stopped or gone, and what it told on the way."""
    before = _told(way, machine.instance_id)
    world.report(Step(f"Sending {machine.instance_id} an interruption"))
    with way.aws.interruption(
        record.name, machine.instance_id, seconds=seconds, role_arn=role, mark=record.rehearsal
    ) as check_sent:
        # FIS waits first, where more than the two minutes are asked for.
        notice = time.monotonic() + max(0, seconds - SHORTEST)
        seen = _until_gone(world, way, machine.instance_id, before, check_sent)
    stopped = round(time.monotonic() - notice, 1)
    world.report(Note(f"{machine.instance_id} is down, {stopped:.0f} s after the notice"))
    ours = [one for one in seen if isinstance(one, console.Rescued)]
    return Rehearsal(
        name=record.name,
        instance_id=machine.instance_id,
        notice_seconds=seconds,
        steps={
            one.step: {"seconds": one.seconds, "ok": one.ok, "failed": one.failed}
            for one in ours
            if one.step
        },
        notice_to_saved=next((one.seconds for one in ours if not one.step), None),
        notice_to_stopped=stopped,
    )


def _until_gone(
    world: World,
    way: Way,
    instance_id: str,
    before: tuple[Told, ...],
    check_sent: Callable[[], None],
) -> tuple[Told, ...]:
    """What the machine told, until it was stopped or terminated. AwsError: it never was."""
    end = time.monotonic() + LONGEST + RETURN_WITHIN
    told: tuple[Told, ...] = ()
    state = "running"
    while state not in ("stopped", "terminated"):
        if time.monotonic() > end:
            raise AwsError(
                f"{instance_id} is still {state}, long after its notice.",
                hint="python -m wrapper status",
            )
        time.sleep(EVERY)
        check_sent()
        found = way.aws.instance(instance_id)
        state = found.state if found else "terminated"
        now = _told(way, instance_id)[len(before) :]
        for one in now[len(told) :]:
            world.report(Note(_words(one)))
        told = now if len(now) > len(told) else told  # a console that is read too late is empty
    return told


def _ended(world: World, way: Way, machine: Instance) -> bool:
    """EC2 has ended the machine for good, as it does with one-time spot; what helps was told."""
    found = way.aws.instance(machine.instance_id)
    if found and found.state not in ("shutting-down", "terminated"):
        return False
    world.report(Note("A one-time machine does not come back: up makes another, with the data"))
    return True


def _told(way: Way, instance_id: str) -> tuple[Told, ...]:
    try:
        return console.rescues(way.aws.console(instance_id))
    except AwsError:
        return ()


def _words(one: Told) -> str:
    if isinstance(one, console.Noticed):
        return f"the machine has heard of it: {one.kind} {one.told}".rstrip()
    if not one.step:
        return f"all is saved, in {one.seconds:.1f} s"
    failed = f", {one.failed} failed" if one.failed else ""
    return f"saved: {one.step} ({one.ok}{failed}) in {one.seconds:.1f} s"


def _watch_it_return(world: World, way: Way, record: Record) -> float:
    """The machine starts again; when, by the monotonic clock. NoAnswerError when it does not."""
    request = coming_back.machines_request(way, record)
    if request and request.status in refusals.WAITS_FOR_ITS_OWNER:
        # EC2 leaves the machine of an experiment stopped, and lets its owner start it.
        return time.monotonic()
    if request is None or not coming_back.wait(world, way, record, patience=RETURN_WITHIN):
        raise NoAnswerError(
            f"{record.name} has not come back.",
            hint=f"Wait on: python -m wrapper up {record.name} --watch",
        )
    return time.monotonic()
