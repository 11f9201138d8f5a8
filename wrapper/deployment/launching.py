"""A machine made: the one that was asked for, or the first that EC2 has of those allowed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.deployment import applying, fallback
from wrapper.deployment.events import Note, Step
from wrapper.errors import RefusedError
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.fallback import Candidate
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.progress import Meter
    from wrapper.deployment.watch import Watch
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

DATA_VOLUME = "module.notebook.aws_ebs_volume.data[0]"


def launch(world: World, home: Home, ready: Prepared, meter: Meter, watch: Watch) -> Record:
    """What was planned exists, with the first machine that EC2 had; the record names it.

    RefusedError tells all that was learnt. As `applying.apply` for the rest.
    """
    learnt: list[str] = []
    refused: list[tuple[Candidate, RefusedError]] = []
    for candidate in ready.candidates if _free_to_choose(ready) else ready.candidates[:1]:
        if any(not _may_help(error, before, candidate) for before, error in refused):
            continue
        if refused:
            ready = _with(home, ready, candidate, refused[-1][0])
            world.report(Step(f"Trying {candidate}"))
        try:
            return applying.apply(world, home, ready, meter, watch)
        except RefusedError as error:
            refused.append((candidate, error))
            learnt.append(f"{candidate}: {_words(error)}")
            world.report(Note(learnt[-1]))
    raise _all_refused(ready, refused[-1][1], learnt)


def _free_to_choose(ready: Prepared) -> bool:
    """There was no machine yet, to whose zone its data would be bound."""
    return not ready.record.instance_ids


def _may_help(error: RefusedError, refused: Candidate, other: Candidate) -> bool:
    return fallback.may_help(refusals.of_code(error.code), refused, other)


def _words(error: RefusedError) -> str:
    refusal = refusals.of_code(error.code)
    return f"{refusal.words} ({refusal.code})" if refusal else error.message


def _with(home: Home, ready: Prepared, candidate: Candidate, before: Candidate) -> Prepared:
    """The same for another machine; its values are on disk."""
    record = home.record() or ready.record  # it has learnt which requests there were
    asked = Settings().over(record.settings)
    record = dataclasses.replace(record, chosen=candidate.over(asked, ready.candidates[0]))
    home.write_variables({**home.variables(), **_own(ready, asked), **record.chosen})
    # A disk that no machine has ever seen holds nothing, and is in the wrong zone.
    anew = (DATA_VOLUME,) if candidate.zone != before.zone else ()
    return dataclasses.replace(ready, record=record, plan=None, anew=anew)


def _own(ready: Prepared, asked: Settings) -> dict[str, object]:
    """What was asked for, over what was chosen last."""
    first = ready.candidates[0]
    return {
        "instance_type": first.instance_type,
        "spot": first.spot,
        "subnet_id": asked.subnet_id,
    }


def _all_refused(ready: Prepared, last: RefusedError, learnt: list[str]) -> RefusedError:
    if len(learnt) == 1:
        return last
    listed = "".join(f"\n  {one}" for one in learnt)
    return RefusedError(
        f"EC2 gives none of the machines that are allowed for {ready.record.name}:{listed}",
        hint="Allow more with --fallback, or try again later: python -m wrapper up",
        code=last.code,
    )
