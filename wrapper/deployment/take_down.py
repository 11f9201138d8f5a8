"""`down`: nothing is left, in the account and of the state; looked up afterwards, not assumed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import module_copy
from wrapper.deployment import place
from wrapper.deployment.events import Note, Progress, Step, Warned
from wrapper.errors import (
    AwsError,
    CloudsError,
    Interrupted,
    LeftoverError,
    UsageError,
)
from wrapper.home import Home, Record, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from wrapper.aws import Leftover
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.terraform import Applying

_AGAIN = (0.0, 2.0, 5.0, 10.0)
"""Seconds before each look for leftovers: EC2 takes a moment to let go of what it deletes."""


@dataclass(frozen=True)
class Down:
    """What `down` came to."""

    name: str
    ended: tuple[str, ...]
    """Machines and requests that were ended, as `kind id`."""
    removed: tuple[str, ...]
    """What Terraform did not know of, and was removed all the same."""
    left: tuple[str, ...] = ()


def down(world: World, name: str, *, local: bool = False, region: str | None = None) -> Down:
    """Nothing is left. LeftoverError lists what could not be removed."""
    home = Home(root(world.environment) / check_name(name))
    record = home.record()
    if record is None:
        return _search_only(world, home, local=local, region=region)
    with home.locked(f"down {name}") as lock:
        if record.place.kind == "local" and not world.embedded().status().running:
            world.report(Note("The embedded EC2 does not run: what was on it is gone with it."))
            return _forget(home, record, Down(name, (), ()))
        way = place.back_to(world, record)
        if not _agreed(world, way, record):
            raise UsageError("Nothing was ended.", hint=f"python -m wrapper down {name}")
        try:
            return _forget(home, record, _end(world, way, record, home, lock))
        except (KeyboardInterrupt, Interrupted) as error:
            raise Interrupted(
                "Interrupted half-way.", hint=f"Go on: python -m wrapper down {name}"
            ) from error


def _search_only(world: World, home: Home, *, local: bool, region: str | None) -> Down:
    """Nothing is remembered: the name and its tags have to be enough."""
    if local and not world.embedded().status().running:
        world.report(Note("The embedded EC2 does not run: nothing can be left on it."))
        return Down(home.name, (), ())
    way = place.search(world, local=local, region=region)
    record = Record(name=home.name, place=way.place)
    world.report(Note(f"Nothing is remembered of {home.name}; searching {way.place} by its tags"))
    if not way.aws.leftovers(home.name):
        return Down(home.name, (), ())
    if not _agreed(world, way, record):
        raise UsageError("Nothing was ended.", hint=f"python -m wrapper down {home.name}")
    return _end(world, way, record, None, None)


def _agreed(world: World, way: Way, record: Record) -> bool:
    """The user has agreed; not asked when there is nothing to lose."""
    found = way.aws.leftovers(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )
    if not any(one.kind in ("instance", "volume") for one in found):
        return True
    listed = "\n".join(f"  {one.kind:<11} {one.id}  {one.detail}" for one in found)
    return world.confirm(
        f"{record.name}, in {record.place}\n{listed}\n\n"
        "All of it is ended, with what is on its disks. Go on?"
    )


def _end(world: World, way: Way, record: Record, home: Home | None, lock: int | None) -> Down:
    """Machines first: Terraform's destroy fails on some, and leaves others running.

    See docs/gotchas.md.
    """
    world.report(Step("Ending spot requests and machines"))
    ended = way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )
    failure: CloudsError | None = None
    if home and lock is not None and _has_state(home):
        failure = _destroy(world, way, home, lock)
    world.report(Step("Searching the account for anything left"))
    removed, left = _clear(world, way, record)
    if left:
        listed = "\n".join(f"  {one.kind} {one.id}  {one.detail}" for one in left)
        because = f"\n{failure.message}" if failure else ""
        raise LeftoverError(
            f"{len(left)} left in {record.place}:\n{listed}{because}",
            hint=f"python -m wrapper down {record.name}; by hand: docs/creates.md",
        )
    if failure:
        # Nothing is left, so what Terraform could not do was not needed.
        world.report(
            Warned(f"Terraform could not do its part, which was done without it: {failure}")
        )
    return Down(
        record.name,
        tuple(f"{one.kind} {one.id}" for one in ended),
        tuple(f"{one.kind} {one.id}" for one in removed),
    )


def _has_state(home: Home) -> bool:
    state = home.path / "terraform.tfstate"
    return state.is_file() and state.stat().st_size > 0


def _destroy(world: World, way: Way, home: Home, lock: int) -> CloudsError | None:
    """Terraform's part; its failure is returned, since the search afterwards decides."""
    done: set[str] = set()

    def watch(event: Applying) -> None:
        if event.state == "done":
            done.add(event.address)
        if event.state in ("started", "done"):
            gone = event.state == "done"
            text = f"Terraform: {event.address}{' is gone' if gone else ''}"
            world.report(Progress(len(done), 0, text, ended=gone))

    world.report(Step("Terraform destroys the rest"))
    try:
        if not (home.path / "main.tf").is_file() or not (home.path / "module").is_dir():
            module_copy.write(home)
        terraform = world.terraform(
            home.path, environment=way.for_terraform(world), keep_open=(lock,)
        )
        terraform.init(say=lambda text: world.report(Note(text)))
        terraform.destroy(watch)
    except Interrupted:
        raise
    except CloudsError as error:
        return error
    return None


def _clear(world: World, way: Way, record: Record) -> tuple[list[Leftover], list[Leftover]]:
    """What was found and removed, and what resisted."""
    removed: dict[str, Leftover] = {}
    left: list[Leftover] = []
    for pause in _AGAIN:
        time.sleep(pause)
        left = way.aws.leftovers(
            record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
        )
        if not left:
            break
        for one in left:
            try:
                way.aws.remove(one)
            except AwsError as error:
                world.report(Warned(error.message))
                continue
            if one.id not in removed:
                world.report(Note(f"{one.kind} {one.id} was left, and is removed"))
            removed[one.id] = one
    return list(removed.values()), left


def _forget(home: Home, record: Record, result: Down) -> Down:
    home.end(record)
    return result
