"""The architecture that a deployment's environments run on: it outlives machines, as they do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper import architecture
from wrapper.data_settings import NO_DATA
from wrapper.deployment import kept, origins, place, question
from wrapper.deployment.events import Note, Warned
from wrapper.errors import RequestError

if TYPE_CHECKING:
    from wrapper.aws import Facts, Needs
    from wrapper.deployment.origins import Origin
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


def refuse_for(world: World, origin: Origin, wanted: Wanted, facts: Facts) -> None:
    """The data's environments run on that machine; told only, of data that was named. RequestError.

    Data of before there were tags counts as fitting.
    """
    one = origin.volume or origin.snapshot
    if one is None or one.architecture in (None, facts.architecture):
        return
    text = (
        f"{origins.id_of(one)} has environments of {one.architecture}, and the machine would be "
        f"{facts.architecture}: they would not run on it."
    )
    if origin.named or wanted.settings.data_snapshot_id:
        world.report(Warned(text))
        return
    raise RequestError(
        text,
        hint=f"What fits: python -m wrapper offers --memory {facts.memory_mib / 1024:g} "
        f"--arch {one.architecture}. The files alone: --data-snapshot, with a snapshot of it; "
        "nothing of it: --fresh-data",
    )


def only(world: World, wanted: Wanted, record: Record | None, needs: Needs) -> Needs:
    """The needs, on that one; as they were where no environment is kept. RequestError: --arch."""
    if wanted.settings.data_snapshot_id == NO_DATA:
        return needs
    if record and not record.ended:
        last = question.instance_type(record)
        found: str | None = architecture.of(last)
        why = f"{record.name} was a {last}"
    else:
        found, why = _of_the_kept(world, wanted, record)
    its = next((one for one in ("x86_64", "arm64") if one == found), None)
    if its is None:
        return needs
    if its not in needs.architectures:
        raise RequestError(
            f"--arch {needs.architectures[0]}: {wanted.name} is {its}, and its environments would "
            "not run on another.",
            hint=f"--arch {its}; or nothing of it: python -m wrapper down {wanted.name}, then "
            "up with --fresh-data",
        )
    if len(needs.architectures) > 1:
        world.report(Note(f"{its} only, as its environments are: {why}."))
    return dataclasses.replace(needs, architectures=(its,))


def _of_the_kept(world: World, wanted: Wanted, record: Record | None) -> tuple[str | None, str]:
    """That of the newest data that is kept where `up` looks for it, and how that is known."""
    local = record.place.kind == "local" if record else wanted.local
    if local and not world.embedded().status().running:
        return None, ""
    region = wanted.from_region or (record.place.region if record else wanted.region)
    aws = place.search(world, local=local, region=region).aws
    found = kept.newest(aws.find_volumes(wanted.name), aws.find_snapshots(wanted.name))
    if found is None:
        return None, ""
    if found.architecture:
        return found.architecture, f"so {origins.id_of(found)} is tagged"
    if record and record.last_type:  # of before there were tags
        return architecture.of(record.last_type), f"{record.name} was a {record.last_type}"
    return None, ""
