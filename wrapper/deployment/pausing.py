"""`stop` and `start`: a machine that rests, and one that answers again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper import refusals
from wrapper.deployment import (
    answering,
    applying,
    autostop,
    awake,
    coming_back,
    guarding,
    look,
    monthly,
    place,
    remembering,
)
from wrapper.deployment.events import Note, Step
from wrapper.deployment.going import Going
from wrapper.deployment.monthly import Resting
from wrapper.deployment.progress import Meter
from wrapper.deployment.summary import summarise
from wrapper.deployment.watch import Watch
from wrapper.errors import FailedError, Interrupted, UsageError

if TYPE_CHECKING:
    from wrapper.aws import Instance, SpotRequest, Volume
    from wrapper.deployment.answering import Up
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

_ONLY = "Only cancelling its request keeps it down, which ends the machine"


@dataclass(frozen=True, kw_only=True)
class Stopped(Resting):
    """A machine that rests, and what it still costs."""

    changed: bool = True
    """False: it rested already."""


def stop(world: World, name: str, *, keep_down: bool = False) -> Stopped:
    """The machine is stopped and stays so; UsageError for one that cannot be stopped.

    One that EC2 interrupted is ended instead, its data volume kept, if `keep_down`.
    """
    home, record = look.known(world, name)
    with home.locked(f"stop {name}"):
        way = place.back_to(world, record)
        found = awake.machine(way, record)
        if done := _of_taken(world, way, home, record, agreed=keep_down):
            return done
        if found is None or found.state in ("shutting-down", "terminated"):
            raise FailedError(
                f"{name} has no machine in {record.place}.",
                hint=f"Make one: python -m wrapper up {name}. End the rest of it: "
                f"python -m wrapper down {name}",
            )
        _refuse_one_time(found, coming_back.machines_request(way, record))
        changed = found.state != "stopped"
        if changed:
            world.report(Step(f"Stopping {found.instance_id}"))
            way.aws.stop_instance(found.instance_id)
            # EC2 may have been faster.
            if done := _of_taken(world, way, home, record, agreed=keep_down):
                return done
        remembering.see(world, way, home, record)
        record = guarding.release(world, way, home, record)
        return _stopped(way, record, changed=changed)


def start(world: World, name: str) -> Up:
    """The machine runs and its notebook answers, verified as by `up`; no Terraform is asked."""
    home, record = look.known(world, name)
    with home.locked(f"start {name}"):
        way = place.back_to(world, record)
        meter = Meter(world.report)
        watch = Watch(world.aws_like(way), name, meter.event)
        was = autostop.before(world, home, way, record)
        try:
            done = answering.answer(Going(world, home, way, meter, watch), record)
        except KeyboardInterrupt as error:
            exists = applying.what_exists(way, name)
            raise Interrupted(
                f"Interrupted. {exists}", hint=f"Go on: python -m wrapper start {name}"
            ) from error
        autostop.settle(world, home, way, was)
        return done


def _refuse_one_time(found: Instance, request: SpotRequest | None) -> None:
    if found.market != "spot" or (request and request.persistent):
        return
    raise UsageError(
        f"{found.instance_id} is a one-time spot machine: EC2 can only run or end it.",
        hint="End it and keep its data: python -m wrapper down --data snapshot",
    )


def _of_taken(
    world: World, way: Way, home: Home, record: Record, *, agreed: bool
) -> Stopped | None:
    """A machine that EC2 would start again is ended, if that is agreed; None for any other."""
    request = coming_back.machines_request(way, record)
    if request is None or not refusals.waits_for_capacity(request.state, request.status):
        return None
    done = _keep_down(world, way, record, request, agreed=agreed)
    remembering.see(world, way, home, record)
    return done


def _keep_down(
    world: World, way: Way, record: Record, request: SpotRequest, *, agreed: bool
) -> Stopped:
    """The request is cancelled, which ends the stopped machine; its data was seen to be left.

    FailedError without consent; UsageError where there is no data volume: nothing would be kept.
    """
    name, volume = record.name, _data_volume(way, record)
    back = f"{name}: {refusals.in_words(request.state, request.status)}, at whatever hour."
    if volume is None:
        raise UsageError(
            f"{back} {_ONLY}, and it has no data volume: what is on its disk would be gone.",
            hint=f"Wait for it, and save what you need: python -m wrapper up {name} --watch. End "
            f"it with its disk: python -m wrapper down {name}",
        )
    fate = f"its data stays on {volume.volume_id} ({volume.gib} GiB), and the next up goes on there"
    if volume.ends_with_machine:
        raise FailedError(
            f"{back} {_ONLY}, and somebody has told EC2 to delete {volume.volume_id} with it.",
            hint=f"Copy it first: python -m wrapper snapshot {name}. Then: "
            f"python -m wrapper down {name} --data snapshot",
        )
    if not agreed:
        raise FailedError(
            f"{back} {_ONLY}.",
            hint=f"python -m wrapper stop {name} --keep-down ({fate}); or: "
            f"python -m wrapper down {name}",
        )
    question = f"The machine {record.instance_id} is ended, so that it stays down; {fate}. Go on?"
    if not world.confirm(question):
        raise UsageError("Nothing was ended.", hint=f"python -m wrapper up {name} --watch")
    world.report(Step(f"Cancelling {request.request_id} and ending its machine"))
    way.aws.end_machines(name, request_ids=record.request_ids, instance_ids=record.instance_ids)
    way.aws.wait_until_free(volume.volume_id)
    left = way.aws.volume(volume.volume_id)
    if left is None:
        raise FailedError(
            f"The machine is ended, and {volume.volume_id} is gone, which nothing here deleted.",
            hint=f"What is left of the data: python -m wrapper snapshots {name}",
        )
    world.report(Note(f"{left.volume_id} is there, {left.state}: {fate}"))
    return _stopped(way, record, changed=True)


def _data_volume(way: Way, record: Record) -> Volume | None:
    """As EC2 has it now, and not as it is remembered."""
    told = record.outputs.get("data_volume_id")
    return way.aws.volume(told) if isinstance(told, str) else None


def _stopped(way: Way, record: Record, *, changed: bool) -> Stopped:
    summary: dict[str, Any] = dataclasses.asdict(summarise(record, awake.machine(way, record)))
    costs = monthly.of(way, [record])[record.name]
    return Stopped(**summary, changed=changed, monthly=costs)
