"""`snapshot` and `snapshots`: copies of the data made now, shown, and deleted one by one."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wrapper.deployment import data, flushing, kept, place, pruning, saving
from wrapper.deployment.events import Step
from wrapper.errors import UsageError
from wrapper.home import Home, Record, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from wrapper.aws import Volume
    from wrapper.deployment.kept import Kept
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World


@dataclass(frozen=True)
class Taken:
    """What `snapshot` came to."""

    name: str
    snapshot: Kept
    shows: Literal["clean", "flushed", "crash-consistent"]
    """clean: of a volume at rest. Else of one in use: flushed a moment before, or as after a power
    cut, without what the last half minute wrote."""


@dataclass(frozen=True)
class Copies:
    """Everything that holds data of one name in one region."""

    name: str
    region: str
    snapshots: tuple[Kept, ...]
    """The newest first."""
    volumes: tuple[Kept, ...]
    """Those that `down --data keep` has left."""

    @property
    def monthly_price(self) -> float:
        """US dollars, about."""
        return round(sum(one.monthly_price for one in (*self.snapshots, *self.volumes)), 2)

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**dataclasses.asdict(self), "monthly_price": self.monthly_price}


@dataclass(frozen=True)
class Where:
    """Where to look when this computer does not remember the name, or elsewhere than it does."""

    local: bool = False
    region: str | None = None


def snapshot(
    world: World,
    name: str,
    where: Where | None = None,
    *,
    snapshots_kept: int | None = None,
    manual_kept: int | None = None,
) -> Taken:
    """A completed snapshot of the data as it is now. UsageError when there is no data volume."""
    home = Home(root(world.environment) / check_name(name))
    record = home.record()
    with home.locked(f"snapshot {name}") if record else nullcontext():
        way = _way(world, record, where or Where())
        known = record or Record(name=name, place=way.place)
        volume = _data_volume(way, known)
        machine = way.aws.instance(volume.attached_to) if volume.attached_to else None
        shows = flushing.settle(world, home, known, machine)
        world.report(Step(f"Taking a snapshot of {volume.volume_id}, {volume.gib} GiB"))
        begun = way.aws.create_snapshot(volume, name, "manual")
        done = way.aws.wait_for_snapshot(
            begun.snapshot_id, saving.progress(world, begun.snapshot_id)
        )
        keep = pruning.Counts(snapshots_kept, manual_kept)
        pruning.prune(world, way, name, keep=keep, spared=[done.snapshot_id])
    return Taken(name, kept.snapshot(done), shows)


def snapshots(world: World, name: str, where: Where | None = None) -> Copies:
    """What holds data of the name, in one region."""
    home = Home(root(world.environment) / check_name(name))
    way = _way(world, home.record(), where or Where())
    volumes = [one for one in way.aws.find_volumes(name) if one.deployment is None]
    return Copies(
        name,
        way.place.region,
        tuple(kept.snapshot(one) for one in way.aws.find_snapshots(name)),
        tuple(kept.volume(one) for one in volumes),
    )


def delete_kept(world: World, name: str, which: str, where: Where | None = None) -> None:
    """The snapshot, or kept volume, is gone. UsageError when it is not the name's, or needed."""
    home = Home(root(world.environment) / check_name(name))
    way = _way(world, home.record(), where or Where())
    copies = snapshots(world, name, where)
    found = next((one for one in (*copies.snapshots, *copies.volumes) if one.id == which), None)
    if found is None:
        raise UsageError(
            f"{name} has no snapshot and no kept volume {which} in {way.place}.",
            hint=f"See what there is: python -m wrapper snapshots {name}",
        )
    if user := pruning.pinned(world, way.place).get(which):
        raise UsageError(
            f"{which} is what {user} began with, and {user} is alive.",
            hint=f"First: python -m wrapper down {user}",
        )
    if not world.confirm(f"{found.words}: the data in it is gone for ever. Go on?"):
        raise UsageError(f"{which} stays.", hint=f"python -m wrapper snapshots {name}")
    if found.kind == "snapshot":
        way.aws.delete_snapshot(which)
    else:
        way.aws.delete_volume(which)


def _way(world: World, record: Record | None, where: Where) -> Way:
    """To where the deployment is or was, unless another place is named."""
    if record and not where.local and where.region in (None, record.place.region):
        return place.back_to(world, record)
    local = where.local or bool(record and record.place.kind == "local")
    return place.search(world, local=local, region=where.region)


def _data_volume(way: Way, record: Record) -> Volume:
    """The live one, else the one that is kept. UsageError when there is none."""
    volumes = way.aws.find_volumes(record.name)
    ours = data.machines(way, record)
    told = record.outputs.get("data_volume_id")
    foreign = way.aws.volume(told) if isinstance(told, str) else None
    live = [one for one in volumes if one.attached_to in ours or one.deployment]
    best = kept.newest_volume(live) or foreign or kept.newest_volume(volumes)
    if best is None:
        raise UsageError(
            f"{record.name} has no data volume in {way.place}.",
            hint=f"python -m wrapper snapshots {record.name}; a new one is made by "
            f"python -m wrapper up {record.name}",
        )
    return best
