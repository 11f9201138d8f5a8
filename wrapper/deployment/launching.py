"""A machine made: the one that was asked for, or the first that EC2 has of those allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.deployment import applying, fallback, moving, question, untouched
from wrapper.deployment.events import Note, Step
from wrapper.errors import RefusedError

if TYPE_CHECKING:
    from wrapper.aws import Market
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
    dear = False
    for candidate in ready.candidates:
        if not all(_may_help(error, before, candidate) for before, error in refused):
            continue
        # The first one's price was looked at before anybody was asked.
        if refused and (why := _too_dear(ready, candidate)):
            dear = True
            learnt.append(f"{candidate}: {why}")
            world.report(Note(learnt[-1]))
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
    raise _all_refused(ready, refused[-1][1], learnt, dear=dear)


def others(going: Going, ready: Prepared, past: Refused) -> list[Candidate]:
    """What may be tried in the place of a machine that EC2 took back, for a price that is allowed.

    What costs too much is told of.
    """
    found = []
    for one in ready.candidates:
        if not _may_help(past[1], past[0], one):
            continue
        if why := _too_dear(ready, one):
            going.world.report(Note(f"Not {one}: {why}"))
        else:
            found.append(one)
    return found


def _too_dear(ready: Prepared, one: Candidate) -> str | None:
    """Why --max-price refuses it, at the price of this moment; None when it does not."""
    if ready.max_price is None:
        return None
    market: Market = "spot" if one.spot else "on-demand"
    price = ready.way.aws.hourly_price(one.instance_type, one.zone, market)
    refused = question.too_dear(price, ready.max_price)
    return refused.message if refused else None


def _may_help(error: RefusedError, refused: Candidate, other: Candidate) -> bool:
    return fallback.may_help(refusals.of_code(error.code), refused, other)


def _words(error: RefusedError) -> str:
    refusal = refusals.of_code(error.code)
    return f"{refusal.words} ({refusal.code})" if refusal else error.message


def _all_refused(
    ready: Prepared, last: RefusedError, learnt: list[str], *, dear: bool
) -> RefusedError:
    if len(learnt) <= 1 and not dear:
        return last
    listed = "".join(f"\n  {one}" for one in learnt)
    return RefusedError(
        f"EC2 gives none of the machines that are allowed for {ready.record.name}:{listed}",
        hint="Allow more with --fallback, or try again later: python -m wrapper up"
        if not dear
        else f"A higher --max-price than {ready.max_price:g}, or try again later",
        code=last.code,
    )
