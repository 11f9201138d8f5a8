"""`local interrupt`: the embedded EC2 takes a spot machine for want of capacity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper.deployment import look, place, rehearsing
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.deployment.world import World


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What is to come of a machine; its field names are a contract."""

    name: str
    instance_id: str
    action: str
    """stop, terminate or hibernate."""
    at: str
    """When, as "2026-11-23T10:11:12Z"."""
    notice: bool
    instance_type: str
    zone: str
    capacity: str
    """"none": withheld in that zone for that type on the spot market; else "there"."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def take(
    world: World, name: str, *, after: float | None = None, notice: bool = True, capacity: bool
) -> Taken:
    """The machine has its notice, or has lost its plug; without capacity it is not started again.

    UsageError: no spot, or on AWS. LocalError.
    """
    home, record = look.known(world, name)
    if record.place.kind != "local":
        raise UsageError(
            f"{name} is in {record.place}: EC2's capacity there is not yours to withhold.",
            hint=f"By AWS's Fault Injection Service: python -m wrapper interrupt {name}",
        )
    with home.locked(f"local interrupt {name}"):
        way = place.back_to(world, record)
        machine = rehearsing.machine(way, record)
        question = (
            f"The embedded EC2 takes {machine.instance_id}: running cells end, what is saved "
            "stays. Go on?"
        )
        if not world.confirm(question):
            raise UsageError("Nothing was interrupted.", hint=f"python -m wrapper status {name}")
        embedded = world.embedded()
        if not capacity:
            embedded.capacity(
                "none",
                zone=machine.zone,
                instance_type=machine.instance_type,
                market="spot",
            )
        told = embedded.interrupt(machine.instance_id, after=after, notice=notice)
    return Taken(
        name=name,
        instance_id=machine.instance_id,
        action=told["action"],
        at=told["at"],
        notice=told["notice"],
        instance_type=machine.instance_type,
        zone=machine.zone,
        capacity="there" if capacity else "none",
    )
