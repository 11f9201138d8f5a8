"""`resize`: another type, with data, address and key kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NoReturn

from wrapper.deployment import bring_up, fallback, look, place, question
from wrapper.deployment.events import Note
from wrapper.deployment.wanted import Wanted
from wrapper.errors import FailedError, NothingToDo, RequestError
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.answering import Up
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record


def resize(world: World, name: str, instance_type: str) -> Up:
    """The notebook answers on a machine of that type, verified.

    In place on-demand, while it is stopped; on spot by another machine. NothingToDo when it is one;
    RequestError: a type that its zone, its image or its environments do not allow.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-resize.html
    """
    home, record = look.known(world, name)
    if question.instance_type(record) == instance_type:
        raise NothingToDo(f"{name} is a {instance_type}.")
    way = place.back_to(world, record)
    _check(way, record, instance_type)
    if "instance_type" in record.chosen:
        # What EC2 had instead of what was asked for is not wanted any more.
        chosen = {key: one for key, one in record.chosen.items() if key != "instance_type"}
        home.remember(dataclasses.replace(record, chosen=chosen))
    spot = question.market(record) == "spot"
    how = "another machine takes over" if spot else "the machine stops for it, and stays"
    world.report(Note(f"{question.instance_type(record)} becomes {instance_type}: {how}."))
    wanted = Wanted(
        name=name,
        settings=Settings(instance_type=instance_type),
        new_password=_no_password,
        local=record.place.kind == "local",
    )
    return bring_up.up(world, wanted)


def _check(way: Way, record: Record, instance_type: str) -> None:
    region, zone = record.place.region, record.outputs.get("availability_zone")
    now = Settings().over(record.settings)
    now = dataclasses.replace(now, instance_type=question.instance_type(record))
    wanted = dataclasses.replace(now, instance_type=instance_type)
    before = way.aws.check_request(fallback.request(now, region))
    facts = way.aws.check_request(fallback.request(wanted, region))
    hint = f"What fits: python -m wrapper offers --memory {facts.memory_mib / 1024:g}"
    if facts.architecture != before.architecture:
        raise RequestError(
            f"{instance_type} is {facts.architecture}, {record.name} is {before.architecture}: its "
            "environments would not run on it.",
            hint=f"{hint} --arch {before.architecture}",
        )
    if zone and zone not in facts.zones:
        raise RequestError(
            f"{instance_type} is not offered in {zone}, where {record.name} and its data are. In "
            f"{', '.join(facts.zones)} it is.",
            hint=f"With its data moved there: python -m wrapper up {record.name} "
            f"--instance-type {instance_type} --fallback zone",
        )
    if record.outputs.get("data_volume_id") and not facts.nitro:
        raise RequestError(
            f"{instance_type} is of the Xen generation, which cannot have a data volume.", hint=hint
        )


def _no_password() -> NoReturn:
    raise FailedError("The deployment has lost its password.", hint="python -m wrapper password")
