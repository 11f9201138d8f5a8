"""Data brought to safety before anything is destroyed: at rest, in a snapshot, verified.

Each step can be interrupted and told again. At every moment the data is on its volume or in a
completed snapshot, since the volume only goes after both were compared.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from wrapper.deployment import data
from wrapper.deployment.events import Note, Progress, Step
from wrapper.errors import AwsError, CloudsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from wrapper.aws import Ended, Instance, Snapshot, Volume
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record

GONE = ("shutting-down", "terminated")
_TOLD_EVERY, _ALL = 10, 100
"""Per cent between two lines on a screen that cannot move a bar."""


def put_to_rest(world: World, way: Way, record: Record, volume: Volume) -> list[Ended]:
    """No machine writes to the volume any more; what had to be ended for that. AwsError.

    A stopped machine has written everything and let go of its file systems. One that cannot be
    stopped, or that EC2 would start again at any time, is ended: its data volume outlives it.
    """
    machine = way.aws.instance(volume.attached_to) if volume.attached_to else None
    if machine and machine.state not in GONE:
        if machine.instance_id not in data.machines(way, record):
            raise AwsError(
                f"{volume.volume_id} is attached to {machine.instance_id}, which is no machine of "
                f"{record.name}. Nothing was destroyed.",
                hint=f"Let go of it there: aws ec2 detach-volume --volume-id {volume.volume_id}",
            )
        if _comes_to_rest(world, way, machine):
            return []
        world.report(Step(f"Ending {machine.instance_id}, which cannot rest; its data stays"))
    ended = _end(way, record) if volume.attached_to else []
    way.aws.wait_until_free(volume.volume_id)
    return ended


def final(world: World, way: Way, record: Record, volume: Volume) -> Snapshot:
    """A completed snapshot of a volume at rest, all that is on it, verified. AwsError.

    One that an interrupted `down` has begun is taken up again.
    """
    begun = _begun(way, record, volume)
    if begun:
        world.report(Step(f"Going on with the snapshot {begun.snapshot_id}"))
    else:
        world.report(Step(f"Taking a snapshot of {volume.volume_id}"))
        mark = secrets.token_hex(8)
        way.aws.mark_ending(volume.volume_id, mark)
        begun = way.aws.create_snapshot(volume, record.name, "final", ending=mark)
    try:
        done = way.aws.wait_for_snapshot(begun.snapshot_id, progress(world, begun.snapshot_id))
    except AwsError as error:
        raise AwsError(
            f"{error.message} Nothing was destroyed; {volume.volume_id} holds the data.",
            hint=f"Again: python -m wrapper down {record.name}, or keep the volume: "
            f"python -m wrapper down {record.name} --data keep",
        ) from error
    verify(way, record, volume, done, again=f"python -m wrapper down {record.name}")
    world.report(Note(f"{done.snapshot_id} is complete: {done.gib} GiB, verified"))
    return done


def progress(world: World, snapshot_id: str) -> Callable[[int], None]:
    """Tells how far a snapshot is; on a screen of lines, only now and then."""
    last = -1

    def report(percent: int) -> None:
        nonlocal last
        if percent == last:
            return
        line = percent == _ALL or percent // _TOLD_EVERY > last // _TOLD_EVERY
        last = percent
        world.report(Progress(percent, _ALL, f"{snapshot_id}: {percent} %", ended=line))

    return report


def _end(way: Way, record: Record) -> list[Ended]:
    return way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )


def _comes_to_rest(world: World, way: Way, machine: Instance) -> bool:
    """It is stopped, and stays so; False where EC2 has its own mind about that."""
    if not can_rest(way, machine):
        return False
    if machine.state != "stopped":
        world.report(Step(f"Stopping {machine.instance_id}, so that its data is whole"))
        try:
            way.aws.stop_instance(machine.instance_id)
        except CloudsError:
            if can_rest(way, machine):
                raise
    return can_rest(way, machine)  # an interruption may have come in between


def can_rest(way: Way, machine: Instance) -> bool:
    """EC2 can stop it, and leaves it stopped.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-start-spot.html
    """
    if machine.market == "on-demand":
        return True
    request = way.aws.spot_request(machine.spot_request_id or "")
    if request is None or not request.persistent or request.state not in ("active", "disabled"):
        return False
    by_ec2 = request.status.startswith(("instance-stopped-", "marked-for-"))
    return not by_ec2 or request.status == "instance-stopped-by-user"


def _begun(way: Way, record: Record, volume: Volume) -> Snapshot | None:
    """The snapshot that shows the volume as it is for ever, if one was begun."""
    if volume.ending is None:
        return None
    for one in way.aws.find_snapshots(record.name):
        same = (one.volume_id, one.ending) == (volume.volume_id, volume.ending)
        if same and one.state in ("pending", "completed"):
            return None if used_since(way, record, volume.volume_id, one.started_at) else one
    return None


def used_since(way: Way, record: Record, volume_id: str, moment: datetime) -> bool:
    """A machine may have written to the volume after that moment.

    EC2 tells a start to the second: one within the moment's own counts as later.
    """
    found = way.aws.volume(volume_id)
    ids = data.machines(way, record)
    if found and found.attached_to:
        ids.add(found.attached_to)
    machines = filter(None, map(way.aws.instance, sorted(ids)))
    return any(one.launched_at >= moment.replace(microsecond=0) for one in machines)


def verify(way: Way, record: Record, volume: Volume, done: Snapshot, *, again: str) -> None:
    """What is about to be destroyed is in the snapshot. AwsError when that is not certain."""
    _compare(record, done, volume)
    if used_since(way, record, volume.volume_id, done.started_at):
        raise AwsError(
            f"A machine of {record.name} was started while its snapshot was taken. "
            "Nothing was destroyed.",
            hint=f"Again: {again}",
        )


def _compare(record: Record, done: Snapshot, volume: Volume) -> None:
    wrong = [
        words
        for words, holds in (
            (f"its state is {done.state}", done.state == "completed"),
            (f"it has {done.gib} GiB, not {volume.gib}", done.gib == volume.gib),
            (f"it is of {done.volume_id}", done.volume_id == volume.volume_id),
            ("it is not encrypted", done.encrypted or not volume.encrypted),
        )
        if not holds
    ]
    if wrong:
        raise AwsError(
            f"The snapshot {done.snapshot_id} is not what was asked for: {', '.join(wrong)}. "
            "Nothing was destroyed.",
            hint=f"Keep the volume: python -m wrapper down {record.name} --data keep",
        )
