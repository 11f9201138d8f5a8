"""What sending an interruption makes for itself, and a wrapper that was killed has left."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record


def begin(world: World, way: Way, home: Home, record: Record) -> Record:
    """What is made from here on carries the record's mark, and nothing of before is left."""
    clear(world, way, record)
    return home.remember(dataclasses.replace(record, rehearsal=secrets.token_hex(3)))


def end(home: Home, record: Record) -> Record:
    """All that was made is gone."""
    return home.remember(dataclasses.replace(record, rehearsal=None))


def clear(world: World, way: Way, record: Record) -> None:
    """No role and no template is left of a sending that was killed; told where one may be."""
    if record.rehearsal is None:
        return
    try:
        way.aws.clear_interruption(record.name, record.rehearsal)
    except CloudsError as error:
        world.report(
            Warned(
                f"{error.message} A role and an experiment's template that end in, or are tagged "
                f"with, {record.rehearsal} may be left: docs/creates.md"
            )
        )
