"""`list`: every deployment of this computer, and what it costs. Nothing changes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from wrapper.deployment import monthly, place, reckoning
from wrapper.deployment.look import alive
from wrapper.deployment.monthly import Resting
from wrapper.deployment.summary import summarise
from wrapper.errors import CloudsError
from wrapper.home import homes

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record


def every(world: World) -> list[Resting]:
    """All deployments of this computer, as far as their places can be asked now."""
    records = [record for home in homes(world.environment) if (record := alive(home))]
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_place.setdefault((record.place.kind, record.place.region), []).append(record)
    found = [one for some in by_place.values() for one in _there(world, some)]
    spent_so_far = {one.name: reckoning.so_far(one) for one in homes(world.environment)}
    found = [dataclasses.replace(one, spent=spent_so_far[one.name]) for one in found]
    return sorted(found, key=lambda one: one.name)


def _there(world: World, records: list[Record]) -> list[Resting]:
    """Those of one region; it may be another account's than the one that is asked now."""
    way = _way_or_none(world, records[0])
    ours = [one for one in records if way and one.place == way.place]
    costs = monthly.of(way, ours) if way else {}
    return [_summary(way if one in ours else None, one, costs) for one in records]


def _way_or_none(world: World, record: Record) -> Way | None:
    try:
        return place.back_to(world, record)
    except CloudsError:
        return None


def _summary(way: Way | None, record: Record, costs: dict[str, dict[str, float]]) -> Resting:
    instance = way.aws.instance(record.instance_id) if way and record.instance_id else None
    told: dict[str, Any] = dataclasses.asdict(summarise(record, instance))
    if way is None:
        told["state"] = "unknown"
    return Resting(**told, monthly=costs.get(record.name, {}))
