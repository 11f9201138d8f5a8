"""`resize`: another type, with data, address and key kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NoReturn

from wrapper.deployment import bring_up, fallback, its_architecture, look, place, question
from wrapper.deployment.events import Note
from wrapper.deployment.wanted import Wanted
from wrapper.errors import FailedError, NothingToDo, RequestError
from wrapper.gpus import nvidia
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
    _, record = look.known(world, name)
    if question.instance_type(record) == instance_type:
        raise NothingToDo(f"{name} is a {instance_type}.")
    way = place.back_to(world, record)
    _check(way, record, instance_type)
    was = question.instance_type(record)
    world.report(Note(f"{was} becomes {instance_type}: {_how(record, instance_type)}"))
    wanted = Wanted(
        name=name,
        settings=Settings(instance_type=instance_type),
        another_type=True,
        new_password=_no_password,
        local=record.place.kind == "local",
    )
    return bring_up.up(world, wanted)


def _how(record: Record, instance_type: str) -> str:
    before, after = nvidia(question.instance_type(record)), nvidia(instance_type)
    if before != after and record.settings.get("ami_id") is None:
        which = "has" if after else "lacks"
        return f"another machine takes over, whose image {which} NVIDIA's driver."
    if question.market(record) == "spot":
        return "another machine takes over."
    return "the machine stops for it, and stays."


def _check(way: Way, record: Record, instance_type: str) -> None:
    region, zone = record.place.region, record.outputs.get("availability_zone")
    now = Settings().over(record.settings)
    wanted = dataclasses.replace(now, instance_type=instance_type)
    facts = way.aws.check_request(fallback.request(wanted, region))
    its_architecture.refuse_another(record, instance_type, facts)
    hint = f"What fits: python -m wrapper offers --memory {facts.memory_mib / 1024:g}"
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
