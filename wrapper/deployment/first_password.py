"""The password that a deployment begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.deployment.events import Note
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home


def choose(world: World, home: Home, wanted: Wanted, way: Way, *, hash_kept: bool) -> str | None:
    """A password to begin with; None where the one of before stays, so that every `up` can be run
    again. UsageError for another one than the machine has."""
    before = home.password()
    if before is None or not hash_kept:
        return wanted.new_password()
    if wanted.generate_password:
        world.report(Note("The password is kept that was made before"))
    named = wanted.new_password() if wanted.password_said else before
    if named == before:
        return None
    if way.aws.find_instances(wanted.name):
        raise UsageError(
            f"{wanted.name} has a password already, and it is another one.",
            hint="Change it on the running machine: python -m wrapper password --new",
        )
    return named
