"""A machine made: the one that was asked for, or the first that EC2 has of those allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.deployment import applying, fallback, moving, untouched
from wrapper.deployment.events import Note, Step
from wrapper.errors import RefusedError

if TYPE_CHECKING:
    from wrapper.deployment.fallback import Candidate
    from wrapper.deployment.going import Going
    from wrapper.deployment.preparing import Prepared
    from wrapper.home import Record

Refused = tuple["Candidate", RefusedError]


def launch(going: Going, ready: Prepared, *, past: Refused | None = None) -> Record:
    """What was planned exists, with the first machine that EC2 had; the record names it.

    RefusedError tells all that was learnt. As `applying.apply` for the rest. `past`: the machine
    that EC2 took back; the deployment moves away from it.
    """
    world, home = going.world, going.home
    learnt: list[str] = []
    refused = [past] if past else []
    for candidate in ready.candidates:
        if not all(_may_help(error, before, candidate) for before, error in refused):
            continue
        if refused:
            world.report(Step(f"Trying {candidate}"))
            ready = moving.towards(world, home, ready, candidate)
        ready = moving.begin_anew(home, ready)
        try:
            with untouched.if_refused(home, ready):
                return applying.apply(going, ready)
        except RefusedError as error:
            refused.append((candidate, error))
            learnt.append(f"{candidate}: {_words(error)}")
            world.report(Note(learnt[-1]))
    raise _all_refused(ready, refused[-1][1], learnt)


def others(ready: Prepared, past: Refused) -> list[Candidate]:
    """What may be tried in the place of a machine that EC2 took back."""
    return [one for one in ready.candidates if _may_help(past[1], past[0], one)]


def _may_help(error: RefusedError, refused: Candidate, other: Candidate) -> bool:
    return fallback.may_help(refusals.of_code(error.code), refused, other)


def _words(error: RefusedError) -> str:
    refusal = refusals.of_code(error.code)
    return f"{refusal.words} ({refusal.code})" if refusal else error.message


def _all_refused(ready: Prepared, last: RefusedError, learnt: list[str]) -> RefusedError:
    if len(learnt) == 1:
        return last
    listed = "".join(f"\n  {one}" for one in learnt)
    return RefusedError(
        f"EC2 gives none of the machines that are allowed for {ready.record.name}:{listed}",
        hint="Allow more with --fallback, or try again later: python -m wrapper up",
        code=last.code,
    )
