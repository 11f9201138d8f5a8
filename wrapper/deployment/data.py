"""What becomes of a deployment's data when it ends: whose it is, and what the user wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrapper.deployment import kept
from wrapper.deployment.events import Note
from wrapper.errors import UsageError
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.aws import Volume
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

Choice = Literal["snapshot", "keep", "delete"]
CHOICES: tuple[Choice, ...] = ("snapshot", "keep", "delete")
VOLUME_TYPE = "aws_ebs_volume"
DATA_VOLUME = "module.notebook.aws_ebs_volume.data[0]"


@dataclass(frozen=True)
class Data:
    """The volumes of a deployment that is about to end."""

    own: tuple[Volume, ...]
    """Its own: made with it, or adopted from an earlier `down --data keep`."""
    foreign: Volume | None
    """The user's, given by --data-volume: only let go of."""

    @property
    def default(self) -> Choice:
        """The safe one; where a `keep` was interrupted, that one is carried on."""
        return "keep" if self.own and all(one.kept_at for one in self.own) else "snapshot"


def of(way: Way, record: Record, home: Home | None) -> Data:
    """Whose data is where. By tag, by Terraform's state and by what is remembered of it."""
    name, ours = record.name, machines(way, record)
    known = {one.volume_id: one for one in way.aws.find_volumes(name)}
    managed = state.managed(home.path, VOLUME_TYPE) if home else {}
    told = record.outputs.get("data_volume_id")
    for volume_id in {*managed, *([told] if isinstance(told, str) else [])} - {*known}:
        if found := way.aws.volume(volume_id):
            known[volume_id] = found
    own = [
        one
        for one in known.values()
        if one.volume_id in managed
        or (one.data_of == name and (one.deployment == name or one.attached_to in ours))
        or (one.data_of == name and one.volume_id == told)
    ]
    own.sort(key=lambda one: one.created_at)  # after an interrupted move the newer one counts
    foreign = known.get(told) if isinstance(told, str) else None
    return Data(tuple(own), None if foreign in own else foreign)


def machines(way: Way, record: Record) -> set[str]:
    """Ids of every machine that was ever seen under the name, as far as that is known."""
    return {*record.instance_ids, *(one.instance_id for one in way.aws.find_instances(record.name))}


def choose(world: World, data: Data, name: str, asked: Choice | None) -> Choice | None:
    """The user's wish; None when there is no data. UnansweredError when nobody answers."""
    if data.foreign:
        world.report(_stays(data.foreign))
    if not data.own:
        return None
    if asked:
        return asked
    gib = sum(one.gib for one in data.own)
    snapshot, volume = (kept.about(kept.month(kind, gib)) for kind in ("snapshot", "volume"))
    question = (
        f"The data of {name}: {_listed(data)}. What becomes of it?\n"
        f"  snapshot  a final snapshot is taken, and the volume goes; {snapshot} at most\n"
        f"  keep      the volume stays, in its zone; {volume}\n"
        "  delete    it is gone for ever\n"
    )
    answer = world.choose(question, CHOICES, data.default)
    return next(one for one in CHOICES if one == answer)


def sentence(choice: Choice | None, data: Data) -> str:
    """What the user agrees to."""
    if choice is None:
        return "All of it is ended, with what is on its disks."
    becomes = {
        "snapshot": "is kept as a snapshot",
        "keep": "is kept as it is",
        "delete": "is DELETED",
    }[choice]
    return f"All of it is ended, with what is on its disks. Its data, {_listed(data)}, {becomes}."


def agreed_to_delete(world: World, data: Data, name: str) -> None:
    """The second time that is asked. UsageError when not."""
    question = f"Everything on {_listed(data)} is gone for ever, and no snapshot is taken."
    if not world.confirm(f"{question} Go on?"):
        raise UsageError(
            "Nothing was ended.", hint=f"Keep it: python -m wrapper down {name} --data snapshot"
        )


def _listed(data: Data) -> str:
    return ", ".join(f"{one.volume_id} ({one.gib} GiB)" for one in data.own)


def _stays(volume: Volume) -> Note:
    return Note(f"{volume.volume_id} is yours: it is let go of, and stays")
