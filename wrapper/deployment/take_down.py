"""`down`: nothing is left but the data that was to be kept; looked up afterwards, not assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.carrier import standing
from wrapper.deployment import (
    baking,
    budgeting,
    clearing,
    data,
    destroying,
    experiments,
    guarding,
    kept,
    place,
    pruning,
    remembering,
    saving,
    ssh,
)
from wrapper.deployment.events import Note, Step, Warned
from wrapper.errors import CloudsError, Interrupted, LeftoverError, UsageError
from wrapper.home import Home, Record, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from wrapper.aws import Ended, Snapshot, Volume
    from wrapper.deployment.data import Choice, Data
    from wrapper.deployment.kept import Kept
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World


@dataclass(frozen=True)
class Down:
    """What `down` came to."""

    name: str
    ended: tuple[str, ...]
    """Machines and requests that were ended, as `kind id`."""
    removed: tuple[str, ...]
    """What Terraform did not know of, and was removed all the same."""
    left: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    """What holds the data now, the first of it what the next `up` begins with; and images."""


@dataclass(frozen=True)
class Wish:
    """What the user wants to become of the data."""

    data: Choice | None = None
    """None: to be asked."""
    snapshots_kept: int | None = None
    manual_kept: int | None = None


@dataclass(frozen=True)
class _Ending:
    """The parts of one `down` that is going on."""

    world: World
    way: Way
    record: Record
    home: Home | None
    lock: int | None
    data: Data
    choice: Choice | None
    """None: there is no data."""


def down(
    world: World,
    name: str,
    *,
    local: bool = False,
    region: str | None = None,
    wish: Wish | None = None,
) -> Down:
    """Nothing is left but the data that is kept. LeftoverError lists what could not be removed."""
    home = Home(root(world.environment) / check_name(name))
    record = home.record()
    wish = wish or Wish()
    if record is None:
        return _search_only(world, home, wish, local=local, region=region)
    with home.locked(f"down {name}") as lock:
        if record.place.kind == "local" and not place.embedded_runs(world):
            world.report(Note("The embedded EC2 does not run: what was on it is gone with it."))
            return _forget(home, record, Down(name, (), ()))
        way = place.back_to(world, record)
        try:
            going = _agreed(world, way, record, home, lock, wish)
            return _forget(home, record, _end(going, wish))
        except (KeyboardInterrupt, Interrupted) as error:
            raise Interrupted(
                "Interrupted half-way.", hint=f"Go on: python -m wrapper down {name}"
            ) from error


def _search_only(world: World, home: Home, wish: Wish, *, local: bool, region: str | None) -> Down:
    if local and not place.embedded_runs(world):
        world.report(Note("The embedded EC2 does not run: nothing can be left on it."))
        return Down(home.name, (), ())
    way = place.search(world, local=local, region=region)
    world.report(Note(f"Nothing is remembered of {home.name}; searching {way.place} by its tags"))
    return by_tags(world, way, home.name, wish)


def by_tags(world: World, way: Way, name: str, wish: Wish, *, always_ask: bool = False) -> Down:
    """As `down`, of a deployment that nothing is remembered of: name and tags have to be enough."""
    record = Record(name=name, place=way.place)
    if not way.aws.leftovers(name):
        return Down(name, (), (), kept=kept_of(way, name))
    agreed = _agreed(world, way, record, None, None, wish, always_ask=always_ask)
    return _end(agreed, wish)


def _agreed(  # noqa: PLR0913, PLR0917 (all that a `down` is made of)
    world: World,
    way: Way,
    record: Record,
    home: Home | None,
    lock: int | None,
    wish: Wish,
    *,
    always_ask: bool = False,
) -> _Ending:
    """What the user has agreed to; not asked when there is nothing to lose. UsageError: no."""
    found = clearing.leftovers(way, record)
    ours = data.of(way, record, home)
    to_lose = ours.own or any(one.kind in ("instance", "volume") for one in found)
    if not to_lose and not always_ask:
        return _Ending(world, way, record, home, lock, ours, None)
    listed = "\n".join(f"  {one.kind:<11} {one.id}  {one.detail}" for one in found)
    choice = data.choose(world, ours, record.name, wish.data)
    question = f"{record.name}, in {record.place}\n{listed}\n\n{data.sentence(choice, ours)} Go on?"
    if not world.confirm(question):
        raise UsageError("Nothing was ended.", hint=f"python -m wrapper down {record.name}")
    if choice == "delete":
        data.agreed_to_delete(world, ours, record.name)
    return _Ending(world, way, record, home, lock, ours, choice)


def _end(going: _Ending, wish: Wish) -> Down:
    """The data first. Then machines: Terraform's destroy fails on some, and leaves others running.

    See docs/gotchas.md.
    """
    world, way, record = going.world, going.way, going.record
    ended, taken = _save(going)
    world.report(Step("Ending spot requests and machines"))
    ended += way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )
    clearing.end_challenges(world, way, record.name)
    failure = _destroy(going)
    if going.choice in ("snapshot", "delete"):
        for one in going.data.own:
            way.aws.delete_volume(one.volume_id)
    world.report(Step("Searching the account for anything left"))
    agreed = {one.volume_id for one in going.data.own}
    removed, left = clearing.clear(world, way, record, agreed=agreed)
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
    _end_what_stands_beside(going, wish, taken)
    return Down(
        record.name,
        tuple(f"{one.kind} {one.id}" for one in ended),
        tuple(f"{one.kind} {one.id}" for one in removed),
        kept=kept_of(way, record.name),
    )


def _end_what_stands_beside(going: _Ending, wish: Wish, taken: list[str]) -> None:
    """No experiment, budget, schedule or old snapshot is left; what cannot be ended is told."""
    world, way, record = going.world, going.way, going.record
    experiments.clear(world, way, record)
    budgeting.end(world, way, record.name)
    guarding.end(world, way, going.home, record)
    if going.home:
        remembering.see(world, way, going.home, record)
    if going.data.own:  # else a move's may be the only copy
        pruning.end_moves(world, way, record.name)
    keep = pruning.Counts(wish.snapshots_kept, wish.manual_kept)
    pruning.prune(world, way, record.name, keep=keep, spared=taken)


def _save(going: _Ending) -> tuple[list[Ended], list[str]]:
    """The data is where it is to be: nothing that is destroyed from here on holds the only copy.

    What was ended for that, and the snapshots.
    """
    world, way, record = going.world, going.way, going.record
    ended: list[Ended] = []
    taken: list[str] = []
    if going.choice in ("snapshot", "keep"):
        for one in going.data.own:
            ended += saving.put_to_rest(world, way, record, one)
    for one in going.data.own:
        if going.choice == "snapshot":
            at_rest = way.aws.volume(one.volume_id) or one
            taken.append(saving.final(world, way, record, at_rest).snapshot_id)
        elif going.choice == "keep":
            way.aws.release_volume(one.volume_id, record.name)
            world.report(Note(f"{one.volume_id} is kept"))
    return ended, taken


def _destroy(going: _Ending) -> CloudsError | None:
    """Terraform's part; its failure is returned, since the search afterwards decides."""
    if going.home is None or going.lock is None:
        return None
    spared = [one.volume_id for one in going.data.own] if going.choice == "keep" else []
    return destroying.destroy(going.world, going.way, going.home, going.lock, spared=spared)


def kept_of(way: Way, name: str) -> tuple[Kept, ...]:
    """Everything that holds data of the name, the next beginning first; then images."""
    volumes = [one for one in way.aws.find_volumes(name) if one.deployment is None]
    snapshots = [one for one in way.aws.find_snapshots(name) if one.state != "error"]
    first = kept.newest(volumes, snapshots)
    told: list[tuple[Volume | Snapshot, Kept]] = [(one, kept.volume(one)) for one in volumes]
    told += [(one, kept.snapshot(one)) for one in snapshots]
    told.sort(key=lambda pair: pair[0] is not first)
    return (*(words for _, words in told), *baking.kept_images(way, name))


def _forget(home: Home, record: Record, result: Down) -> Down:
    standing.end(home.path)
    home.end(record)
    ssh.forget(home.path.parent, ssh.users_config())
    return result
