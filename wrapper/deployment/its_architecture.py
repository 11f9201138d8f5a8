"""The architecture that a deployment's environments run on: it outlives machines, as they do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper import architecture
from wrapper.deployment import place, question
from wrapper.deployment.events import Note
from wrapper.errors import RequestError
from wrapper.settings import NO_DATA

if TYPE_CHECKING:
    from wrapper.aws import Facts, Needs
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Record


def refuse_another(record: Record, kind: str, facts: Facts) -> None:
    """The type is of the same. RequestError."""
    its = architecture.of(question.instance_type(record))
    if facts.architecture == its:
        return
    raise RequestError(
        f"{kind} is {facts.architecture}, {record.name} is {its}: its environments would not run "
        "on it.",
        hint=f"What fits: python -m wrapper offers --memory {facts.memory_mib / 1024:g} "
        f"--arch {its}",
    )


def only(world: World, wanted: Wanted, record: Record, needs: Needs) -> Needs:
    """The needs, on that one; as they were where no environment is kept. RequestError: --arch."""
    last = record.last_type if record.ended else question.instance_type(record)
    if last is None or wanted.settings.data_snapshot_id == NO_DATA:
        return needs
    if record.ended and not _is_kept(world, record):
        return needs
    its = architecture.of(last)
    if its not in needs.architectures:
        raise RequestError(
            f"--arch {needs.architectures[0]}: {record.name} is {its}, and its environments would "
            "not run on another.",
            hint=f"--arch {its}; or nothing of it: python -m wrapper down {record.name}, then "
            "up with --fresh-data",
        )
    if len(needs.architectures) > 1:
        world.report(Note(f"{its} only, as its environments are: {record.name} was a {last}."))
    return dataclasses.replace(needs, architectures=(its,))


def _is_kept(world: World, record: Record) -> bool:
    """Data of it is there to begin with, where it was."""
    local = record.place.kind == "local"
    if local and not world.embedded().status().running:
        return False
    aws = place.search(world, local=local, region=record.place.region).aws
    return bool(aws.find_volumes(record.name) or aws.find_snapshots(record.name))
