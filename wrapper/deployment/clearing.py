"""What a deployment has left in the account: removed, or named with what holds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrapper.deployment.events import Note, Warned
from wrapper.errors import AwsError, CredentialsError, FailedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from wrapper.aws import Leftover
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record

AGAIN = (0.0, 2.0, 5.0, 10.0, 20.0, 20.0, 20.0)
"""Seconds before each look for leftovers: EC2 takes a moment to let go of what it deletes."""
_EACH = 15.0
"""Seconds that each look waits for what holds a leftover."""
WITHIN = 180.0
"""Seconds after which no further look begins, whatever is left."""


def leftovers(way: Way, record: Record) -> list[Leftover]:
    """What there is, in the order in which it can be removed."""
    return way.aws.leftovers(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )


def end_challenges(world: World, way: Way, name: str) -> None:
    """No record is left by which the machine proved its domain; one that may not go is told.

    Before the address is released, which alone tells of it, and after the machine that wrote it.
    """
    try:
        for one in way.aws.find_challenges(name):
            way.aws.remove(one)
            world.report(Note(f"{one.id} was left by the machine, and is removed"))
    except (AwsError, CredentialsError) as error:
        world.report(Warned(error.message))


def clear(
    world: World, way: Way, record: Record, *, agreed: Collection[str]
) -> tuple[list[Leftover], list[Leftover]]:
    """What was found and removed, and what resisted. Of data only what was agreed on goes."""
    removed: dict[str, Leftover] = {}
    held: set[str] = set()
    left: list[Leftover] = []
    end = time.monotonic() + WITHIN
    for pause in AGAIN:
        time.sleep(pause)
        left = leftovers(way, record)
        if not left or time.monotonic() > end:
            break
        for one in left:
            _refuse_undecided(way, record, one, agreed)
            try:
                way.aws.remove(one, seconds=min(_EACH, max(0.0, end - time.monotonic())))
            except (AwsError, CredentialsError) as error:
                if one.id not in held:
                    world.report(Warned(error.message))
                held.add(one.id)
                continue
            if one.id not in removed:
                world.report(Note(f"{one.kind} {one.id} was left, and is removed"))
            removed[one.id] = one
    return list(removed.values()), left


def _refuse_undecided(
    way: Way, record: Record, leftover: Leftover, agreed: Collection[str]
) -> None:
    """Data that came to light only now is not removed: nobody was asked. FailedError."""
    if leftover.kind != "volume" or leftover.id in agreed:
        return
    found = way.aws.volume(leftover.id)
    if found and found.data_of == record.name:
        raise FailedError(
            f"{leftover.id} holds data of {record.name}, and was not seen before.",
            hint=f"Again, and you are asked: python -m wrapper down {record.name}",
        )
