"""What the data of an `up` begins with: found by tag, told, pinned, and made ready."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper.aws.model import Volume
from wrapper.data_settings import NO_DATA
from wrapper.deployment import kept, origins, saving
from wrapper.deployment.data import VOLUME_TYPE
from wrapper.deployment.events import Note, Step, Warned
from wrapper.deployment.origins import Origin
from wrapper.errors import RequestError, SettingsError, UsageError
from wrapper.settings import DEFAULT_DATA_GIB
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.aws import Snapshot
    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.settings import Settings
    from wrapper.terraform import Plan, Terraform


def begin(
    world: World, way: Way, wanted: Wanted, asked: Settings, before: Record | None
) -> tuple[Origin, Settings]:
    """What the data begins with, and the settings that pin it for every later command.

    RequestError, SettingsError: it cannot be used, or not so.
    """
    if before is None or before.ended:
        origin = _find(world, way, wanted, asked, before)
        return origin, pin(asked, origin)
    there = _of_the_living(way, asked, before)
    if there is None:  # the first `up` ended before there was a volume
        origin = _find(world, way, wanted, asked, before)
        return origin, pin(asked, origin)
    pinned = before.settings.get("data_snapshot_id")
    if asked.data_snapshot_id != pinned:
        world.report(
            Warned(
                "--data-snapshot: the data volume exists, and stays as it is. To begin with "
                f"another: python -m wrapper down {before.name}, then up"
            )
        )
    asked = dataclasses.replace(asked, data_snapshot_id=pinned)
    return there, pin(asked if there.named else _sized(world, way, asked, before), there)


def _sized(world: World, way: Way, asked: Settings, before: Record) -> Settings:
    """The settings with a size that the living volume can take. SettingsError: it would shrink."""
    told, wanted = before.outputs.get("data_volume_id"), asked.data_volume_size
    volume = way.aws.volume(told) if isinstance(told, str) else None
    if volume is None or wanted == 0 or (wanted or DEFAULT_DATA_GIB) >= volume.gib:
        return asked
    if wanted == before.settings.get("data_volume_size"):  # nobody asks for less than there was
        world.report(Note(f"{volume.volume_id} has grown outside, to {volume.gib} GiB"))
        return dataclasses.replace(asked, data_volume_size=volume.gib)
    raise SettingsError(
        f"--data-size {wanted}: {volume.volume_id} has {volume.gib} GiB, and a volume never "
        "becomes smaller.",
        hint=f"--data-size {volume.gib}, or more. For a smaller one, copy what you need: "
        f"python -m wrapper up {before.name}-2 --data-size {wanted}",
    )


def _of_the_living(way: Way, asked: Settings, before: Record) -> Origin | None:
    """The data of a deployment that is up, or half up; None when it has none yet.

    A volume that an interrupted `down --data keep` released is taken back. Marks of an interrupted
    `down` are taken away: no later one may take a snapshot of before for the last.
    """
    name, told = before.name, before.outputs.get("data_volume_id")
    volumes = way.aws.find_volumes(name)
    for one in volumes:
        if one.kept_at and (one.volume_id == told or one.attached_to in before.instance_ids):
            return Origin(volume=one, named=one.volume_id == asked.data_volume_id)
        if one.ending and one.deployment == name:
            way.aws.claim_volume(one.volume_id, name)
    if asked.data_volume_id:
        return origins.named_volume(way, name, asked.data_volume_id, ours=before.instance_ids)
    # One that is gone, as after an interrupted `down`, has left a snapshot.
    lives = isinstance(told, str) and way.aws.volume(told) is not None
    return Origin() if lives or any(one.deployment == name for one in volumes) else None


def _find(world: World, way: Way, wanted: Wanted, asked: Settings, before: Record | None) -> Origin:
    """What the user named, else the newest that is kept."""
    name = wanted.name
    if asked.data_volume_id:
        return origins.named_volume(way, name, asked.data_volume_id)
    there, from_region = origins.region_of(world, way, wanted.from_region)
    if asked.data_snapshot_id not in (None, NO_DATA):
        return origins.named_snapshot(there, name, str(asked.data_snapshot_id), from_region)
    if from_region:
        return origins.newest_elsewhere(there, name, from_region)
    volumes = way.aws.find_volumes(name)
    found = kept.newest(volumes, way.aws.find_snapshots(name))
    unused = [one for one in volumes if one is not found]
    if found is None:
        origins.look_where_it_was(world, way, before)
    elif asked.data_snapshot_id == NO_DATA or asked.data_volume_size == 0:
        world.report(Note(f"{origins.id_of(found)} is kept, and not used"))
        found = None
    for one in unused:
        world.report(Note(f"{one.volume_id} is kept too, and not used"))
    if isinstance(found, Volume):
        return origins.free(Origin(volume=found), name)
    return Origin(snapshot=found)


def pin(asked: Settings, origin: Origin) -> Settings:
    """The settings with what was found. A volume is never smaller than what is restored to it."""
    if origin.volume:
        volume_id, gib = origin.volume.volume_id, origin.volume.gib
        if origin.taken_over:
            return _as_large(asked, volume_id, gib)
        if asked.data_volume_size not in (None, 0, gib):
            raise SettingsError(
                f"--data-size {asked.data_volume_size}: {volume_id} has {gib} GiB, and is taken "
                "as it is.",
                hint=f"Enlarge it first: aws ec2 modify-volume --volume-id {volume_id} "
                f"--size {asked.data_volume_size}; or leave --data-size out",
            )
        # 0: none is made beside it.
        return dataclasses.replace(
            asked, data_volume_id=volume_id, data_volume_size=0, data_snapshot_id=None
        )
    if origin.snapshot is None:
        return asked
    gib = origin.snapshot.gib
    if asked.data_volume_size is not None and asked.data_volume_size < gib:
        raise SettingsError(
            f"--data-size {asked.data_volume_size} is less than the {gib} GiB of "
            f"{origin.snapshot.snapshot_id}.",
            hint=f"--data-size {gib}, or more; or start empty with --fresh-data",
        )
    here = origin.snapshot.snapshot_id if origin.from_region is None else None
    size = gib if asked.data_volume_size is None else asked.data_volume_size
    return dataclasses.replace(asked, data_snapshot_id=here, data_volume_size=size)


def _as_large(asked: Settings, volume_id: str, gib: int) -> Settings:
    if gib > (asked.data_volume_size or gib):
        raise SettingsError(
            f"--data-size {asked.data_volume_size}: {volume_id} has {gib} GiB, and a volume never "
            "becomes smaller.",
            hint=f"--data-size {gib}, or more; or start empty with --fresh-data",
        )
    size = asked.data_volume_size or gib
    return dataclasses.replace(asked, data_volume_size=size, data_snapshot_id=None)


def settle(world: World, home: Home, ready: Prepared) -> Prepared:
    """The volume is the deployment's, or the snapshot is complete and here. AwsError."""
    origin, way, name = ready.origin, ready.way, ready.record.name
    if origin.volume and origin.ours and not origin.is_claimed:
        way.aws.claim_volume(origin.volume.volume_id, name)
    if origin.snapshot is None:
        return ready
    pinned = origin.snapshot.snapshot_id
    if origin.from_region:
        pinned = _copied(world, way, origin.snapshot, origin.from_region, name)
    if origin.from_region or origin.snapshot.state != "completed":
        world.report(Step(f"Waiting for the snapshot {pinned}"))
        way.aws.wait_for_snapshot(pinned, saving.progress(world, pinned))
    settings = {**ready.record.settings, "data_snapshot_id": pinned}
    home.write_variables({**home.variables(), "data_snapshot_id": pinned})
    return dataclasses.replace(ready, record=dataclasses.replace(ready.record, settings=settings))


def _copied(world: World, way: Way, source: Snapshot, from_region: str, name: str) -> str:
    """Id of the copy; one that was begun before is taken up."""
    for one in way.aws.find_snapshots(name):
        if one.copy_of == source.snapshot_id and one.state in ("pending", "completed"):
            return one.snapshot_id
    if source.state == "pending":
        raise RequestError(
            f"{source.snapshot_id} in {from_region} is still pending.",
            hint=f"When it is complete: python -m wrapper snapshots {name} --region {from_region}",
        )
    world.report(Step(f"Copying {source.snapshot_id} from {from_region}"))
    return way.aws.copy_snapshot(source, from_region, name)


def spare(way: Way, home: Home, terraform: Terraform) -> None:
    """A volume whose making Ctrl-C cut short is taken as EC2 has made it, and not made anew."""
    for volume_id, address in state.tainted(home.path, VOLUME_TYPE).items():
        found = way.aws.volume(volume_id)
        if found and found.state != "error":
            terraform.untaint(address)


def refuse_loss(name: str, plan: Plan | None) -> None:
    """Terraform would not end a data volume that is alive. UsageError."""
    ended = [
        one.address
        for one in (plan.changes if plan else ())
        if one.type == VOLUME_TYPE and one.action in ("delete", "replace")
    ]
    if ended:
        raise UsageError(
            f"That would delete the data volume ({', '.join(ended)}), and was not done.",
            hint=f"To begin anew, with the data kept: python -m wrapper down {name}, then up",
        )
