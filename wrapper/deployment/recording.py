"""What an `up` will remember: what was asked for before and now, where it stands, who is let in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper.deployment import fallback, place
from wrapper.deployment.events import Warned
from wrapper.errors import AddressError
from wrapper.home import Record

if TYPE_CHECKING:
    from wrapper.aws import Facts
    from wrapper.deployment.place import Way
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home
    from wrapper.settings import Settings


def wished(
    before: Record | None, wanted: Wanted, way: Way, asked: Settings, *, data: bool
) -> Record:
    """The record, with what is asked for now."""
    if before is None or before.ended:
        last = before.last_type if before else None
        return Record(name=wanted.name, place=way.place, settings=asked.said(), last_type=last)
    now = asked.said()
    chosen = fallback.still_chosen(before, now, replace=wanted.replace, data=data)
    if wanted.another_type:
        # Market and place stay; what EC2 had instead of the type of before is not wanted any more.
        chosen = {key: one for key, one in before.chosen.items() if key != "instance_type"}
    return dataclasses.replace(
        before,
        place=way.place,
        settings=now,
        chosen=chosen,
        generation=before.generation + (1 if wanted.replace else 0),
    )


def own_cidr(world: World, record: Record, asked: Settings) -> Record:
    """The record, with the caller's address where that is let in. AddressError: not to be had."""
    if asked.allow is not None and record.own_cidr is None:
        return record
    try:
        own = place.own_cidr(world, local=record.place.kind == "local")
    except AddressError as error:
        if record.own_cidr is None:
            raise
        world.report(Warned(f"{error.message} {record.own_cidr} stays as it is."))
        return record
    return dataclasses.replace(record, own_cidr=own)


def zone(before: Record | None, facts: Facts) -> str | None:
    """Where the deployment stands, or was to stand."""
    if before is None:
        return None
    chosen = before.chosen.get("subnet_id")
    there = [zone for zone, subnet_id in facts.subnets.items() if subnet_id == chosen]
    found = there[0] if there else before.outputs.get("availability_zone")
    return str(found) if found else None


def remember_place(home: Home, way: Way) -> None:
    """Whatever fails from here on, `down` knows where to look without being told."""
    before = home.record()
    last = before.last_type if before else None
    home.remember(Record(name=home.name, place=way.place, ended=True, last_type=last))
