"""Terraform's part of `down`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import module_copy
from wrapper.deployment import beginning, volume_first
from wrapper.deployment.data import VOLUME_TYPE
from wrapper.deployment.events import Note, Progress, Step
from wrapper.errors import CloudsError, Interrupted, LockedError
from wrapper.terraform import state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home
    from wrapper.terraform import Applying, Terraform


def destroy(
    world: World, way: Way, home: Home, lock: int, *, spared: Sequence[str]
) -> CloudsError | None:
    """Nothing is left of the state but what is spared, which it does not know any more.

    A failure is returned: whether it matters, the search afterwards decides.
    """
    if not state.is_there(home.path):
        return None
    world.report(Step("Terraform destroys the rest"))
    try:
        beginning.spare(way, home)
        terraform = at(world, way, home, lock)
        forget(terraform, home, spared)
        volume_first.forget(home)
        terraform.destroy(_watch(world))
    except (Interrupted, LockedError):
        raise
    except CloudsError as error:
        return error
    return None


def at(world: World, way: Way, home: Home, lock: int) -> Terraform:
    """Terraform in the deployment's directory, initialised."""
    if not (home.path / "main.tf").is_file() or not (home.path / "module").is_dir():
        module_copy.write(home)
    terraform = world.terraform(home.path, environment=way.for_terraform(world), keep_open=(lock,))
    terraform.init(say=lambda text: world.report(Note(text)))
    return terraform


def forget(terraform: Terraform, home: Home, volume_ids: Sequence[str]) -> None:
    """None of the volumes is Terraform's, which would delete it with the rest."""
    managed = state.managed(home.path, VOLUME_TYPE)
    if addresses := [managed[one] for one in volume_ids if one in managed]:
        terraform.forget(*addresses)


def _watch(world: World) -> Callable[[Applying], None]:
    done: set[str] = set()

    def watch(event: Applying) -> None:
        if event.state == "done":
            done.add(event.address)
        if event.state in ("started", "done"):
            gone = event.state == "done"
            text = f"Terraform: {event.address}{' is gone' if gone else ''}"
            world.report(Progress(len(done), 0, text, ended=gone))

    return watch
