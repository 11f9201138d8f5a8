"""A deployment moved to another zone, type or market: its data, address and password go with it.

At most one machine runs at any time, and at every moment the data is on a volume that nothing
writes to, or in a completed snapshot: the old volume goes last, when the new notebook is verified.
Each step can be interrupted; the next `up` goes on.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper.deployment import data, destroying, saving, untouched, volume_first
from wrapper.deployment.data import DATA_VOLUME, VOLUME_TYPE
from wrapper.deployment.events import Note, Step, Warned
from wrapper.errors import AwsError, UsageError
from wrapper.settings import Settings
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.aws import Snapshot, Volume
    from wrapper.deployment.fallback import Candidate
    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.terraform import Terraform


def data_volume(way: Way, home: Home) -> Volume | None:
    """The data volume that Terraform manages, or is about to take over; None without one, also
    for one of the user's."""
    waiting = volume_first.waiting(home)
    for volume_id in (*state.managed(home.path, VOLUME_TYPE), *([waiting] if waiting else [])):
        if found := way.aws.volume(volume_id):
            return found
    return None


def towards(world: World, home: Home, ready: Prepared, candidate: Candidate) -> Prepared:
    """No machine is left, and what Terraform makes next is that one, with the data there is."""
    way = ready.way
    record = home.record() or ready.record  # it has learnt which requests there were
    anew: tuple[str, ...] = ()
    volume, waiting = data_volume(way, home), volume_first.waiting(home)
    if volume and volume.zone != candidate.zone:
        if volume.volume_id != waiting and untouched.is_so(way, record, volume):
            anew = (DATA_VOLUME,)
        else:
            record = _pack(world, home, way, record, volume)
            volume_first.forget(home)
    _end_machines(world, way, record)
    before = home.variables()
    asked = Settings().over(record.settings)
    subnet_id = _subnet(ready, record, before.get("subnet_id"), candidate)
    chosen = candidate.variables(asked, subnet_id=subnet_id)
    if snapshot_id := record.move.get("snapshot"):
        chosen["data_snapshot_id"] = snapshot_id
    record = home.remember(dataclasses.replace(record, chosen=chosen))
    home.write_variables({**before, **chosen})
    go_on(home, ready.terraform, record)
    rest = tuple(one for one in ready.candidates if one != candidate)
    return dataclasses.replace(
        ready, record=record, plan=None, anew=anew, candidates=(candidate, *rest)
    )


def go_on(home: Home, terraform: Terraform, record: Record) -> None:
    """Terraform does not know the volume that the data has left: it would try to attach it."""
    destroying.forget(terraform, home, left(record))


def left(record: Record | None) -> list[str]:
    """Volumes that the data has left for good: Terraform's is made of the copy, or is to be."""
    copy = record.move.get("snapshot") if record else None
    there = bool(record and copy and record.chosen.get("data_snapshot_id") == copy)
    return _left(record) if record and there else []


def _left(record: Record) -> list[str]:
    """Volumes that the data has left, the last one first."""
    return [one for one in (record.move.get("volume"), *_earlier(record)) if one]


def _earlier(record: Record) -> list[str]:
    return record.move.get("earlier", "").split()


def settle(world: World, home: Home, way: Way) -> None:
    """After a verified move, the old volumes and the snapshot are gone; nothing without one."""
    record = home.record()
    if record is None or not record.move:
        return
    managed = state.managed(home.path, VOLUME_TYPE)
    if not managed:
        return  # nothing has taken the old one's place
    old = record.move.get("volume")
    if old not in managed and not (_made_of_it(way, record) & managed.keys()):
        world.report(
            Warned(
                f"{', '.join(managed)} is no copy of {old}, from which the data was to move: that "
                f"one stays, and costs. Look at both: aws ec2 describe-volumes --volume-ids {old}"
            )
        )
        return
    try:
        for old in _left(record):
            if old in managed:  # the move was begun in vain
                continue
            way.aws.delete_volume(old)
            world.report(Note(f"The volume of before, {old}, is gone: its data has moved"))
        for one in way.aws.find_snapshots(home.name):
            if one.kind == "move":  # also of one that was interrupted before it was remembered
                way.aws.delete_snapshot(one.snapshot_id)
    except AwsError as error:
        world.report(Warned(f"{error.message} The next up tries it again."))
        return
    chosen = {key: value for key, value in record.chosen.items() if key != "data_snapshot_id"}
    variables = home.variables() | {"data_snapshot_id": None}
    asked = str(record.settings.get("data_snapshot_id"))
    if asked.startswith("snap-"):
        variables["data_snapshot_id"] = asked
    home.write_variables(variables)
    home.remember(dataclasses.replace(record, chosen=chosen, move={}))


def _made_of_it(way: Way, record: Record) -> set[str]:
    snapshot_id = record.move.get("snapshot")
    there = way.aws.find_volumes(record.name) if snapshot_id else []
    return {one.volume_id for one in there if one.snapshot_id == snapshot_id}


def begin_anew(home: Home, ready: Prepared) -> Prepared:
    """A machine may come to the volume that is: what an unfinished move copied of it is no more
    its last word, and a copy of before is not taken for one."""
    record, there = ready.record, state.managed(home.path, VOLUME_TYPE)
    if record.move.get("volume") not in there:
        return ready
    move = {key: value for key, value in record.move.items() if key != "snapshot"}
    return dataclasses.replace(ready, record=dataclasses.replace(record, move=move))


def _pack(world: World, home: Home, way: Way, record: Record, volume: Volume) -> Record:
    """The data is in a completed snapshot, and no machine can write to its volume any more."""
    saving.put_to_rest(world, way, record, volume)
    volume = way.aws.volume(volume.volume_id) or volume
    done = _packed(way, record, volume)
    if done is None:
        world.report(Step(f"Taking a snapshot of {volume.volume_id}, to move its data"))
        made = way.aws.create_snapshot(volume, record.name, "move")
        left = [one for one in _left(record) if one != volume.volume_id]
        move = {"volume": volume.volume_id, "snapshot": made.snapshot_id}
        if left:  # of a move that was never settled
            move["earlier"] = " ".join(left)
        record = home.remember(dataclasses.replace(record, move=move))
        done = way.aws.wait_for_snapshot(made.snapshot_id, saving.progress(world, made.snapshot_id))
    saving.verify(way, record, volume, done, again=f"python -m wrapper up {record.name}")
    return record


def _packed(way: Way, record: Record, volume: Volume) -> Snapshot | None:
    """The snapshot of an interrupted move, if no machine has run since."""
    snapshot_id = record.move.get("snapshot")
    if not snapshot_id or record.move.get("volume") != volume.volume_id:
        return None
    found = way.aws.snapshot(snapshot_id)
    if found is None or found.gib != volume.gib:
        return None
    if saving.used_since(way, record, volume.volume_id, found.started_at):
        return None
    if found.state == "pending":
        return way.aws.wait_for_snapshot(snapshot_id, lambda _: None)
    return found if found.state == "completed" else None


def _end_machines(world: World, way: Way, record: Record) -> None:
    if not data.machines(way, record):
        return
    world.report(Step("Ending the machine of before, and its request"))
    way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )


def _subnet(ready: Prepared, record: Record, now: str | None, candidate: Candidate) -> str | None:
    """Where it stands already, nothing is said anew: another value would replace the network."""
    zones = {one.subnet_id: one.zone for one in ready.candidates}
    zone = zones.get(now) if now else record.outputs.get("availability_zone")
    return now if zone == candidate.zone else candidate.subnet_id


def describe(record: Record, candidates: list[Candidate], volume: Volume | None) -> str:
    """What the user is asked before a move."""
    listed = "".join(f"\n  {one}" for one in candidates)
    fate = (
        f"Its data, on {volume.volume_id} ({volume.gib} GiB), goes along."
        if volume
        else "It has no data volume: WHAT IS ON ITS DISK IS LOST."
    )
    return (
        f"{record.name} moves to the first of these that EC2 has:{listed}\n"
        f"Address and password stay. {fate}"
    )


def refuse(record: Record) -> UsageError:
    """The user did not agree."""
    return UsageError(
        "Nothing was moved.", hint=f"Wait for it: python -m wrapper up {record.name} --watch"
    )
