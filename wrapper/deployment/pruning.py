"""Old snapshots go, by count; told, and never one that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.deployment.events import Note, Warned
from wrapper.errors import AwsError, CloudsError
from wrapper.home import homes

if TYPE_CHECKING:
    from collections.abc import Collection

    from wrapper.aws import Snapshot
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Place

DEFAULT_KEPT = {"final": 5, "manual": 20}
"""By kind; copies from another region are manual, too."""


@dataclass(frozen=True)
class Counts:
    """How many stay; None is as many as usual."""

    final: int | None = None
    manual: int | None = None


def prune(world: World, way: Way, name: str, *, keep: Counts, spared: Collection[str] = ()) -> None:
    """Of the deployment's snapshots of each kind the newest so many are left, no failed one."""
    counts = {"final": keep.final, "manual": keep.manual}
    found = way.aws.find_snapshots(name)
    old: list[tuple[Snapshot, str]] = []
    for kind, usual in DEFAULT_KEPT.items():
        most, these = counts[kind] or usual, [one for one in found if one.kind == kind]
        whole = [one for one in these if one.state == "completed"]
        old += [(one, f"beyond the newest {most}") for one in whole[most:]]
        old += [(one, "failed") for one in these if one.state == "error"]
    try:
        needed = {*spared, *pinned(world, way.place)}
    except CloudsError as error:  # a damaged record may name any of them
        world.report(Warned(f"No old snapshot is removed: {error.message}"))
        return
    for one, why in old:
        if one.snapshot_id in needed:
            continue
        day = one.started_at.date().isoformat()
        try:
            way.aws.delete_snapshot(one.snapshot_id)
        except AwsError as error:
            world.report(Warned(error.message))
            continue
        world.report(Note(f"The snapshot {one.snapshot_id} of {day} goes: {why}"))


def end_moves(world: World, way: Way, name: str) -> None:
    """No copy is left that a move made for itself, and that `up` would take for the newest data.

    For when the data is where it is to be.
    """
    for one in way.aws.find_snapshots(name):
        if one.kind != "move":
            continue
        try:
            way.aws.delete_snapshot(one.snapshot_id)
        except AwsError as error:
            world.report(Warned(error.message))
            continue
        world.report(Note(f"The snapshot {one.snapshot_id} goes: it was of a move"))


def pinned(world: World, place: Place) -> dict[str, str]:
    """Snapshots and volumes that live deployments of this computer began with: id to name."""
    found: dict[str, str] = {}
    for home in homes(world.environment):
        record = home.record()
        if record is None or record.ended or record.place != place:
            continue
        values = {**home.variables(), **record.settings}
        for key in ("data_snapshot_id", "data_volume_id"):
            if isinstance(values.get(key), str):
                found[values[key]] = record.name
    return found
