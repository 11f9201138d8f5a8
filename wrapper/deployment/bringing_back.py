"""A machine that EC2 took back: waited for, or moved away from, as the user allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.deployment import coming_back, launching, moving
from wrapper.deployment.events import Note
from wrapper.deployment.fallback import Candidate

if TYPE_CHECKING:
    from wrapper.aws import SpotRequest
    from wrapper.deployment.going import Going
    from wrapper.deployment.launching import Refused
    from wrapper.deployment.preparing import Prepared
    from wrapper.errors import RefusedError
    from wrapper.home import Record

MOVE_AFTER = 120.0
"""Seconds that `--watch` gives capacity to return before it moves: a move takes longer."""


def bring_back(
    going: Going, ready: Prepared, record: Record, request: SpotRequest, *, stay: bool
) -> Record:
    """The deployment has a machine that runs: EC2 started the old one, or it has moved.

    NoAnswerError when only waiting helps and nobody wants to; RefusedError when all is refused.
    """
    world = going.world
    world.report(Note(f"{record.name}: {refusals.in_words(request.state, request.status)}"))
    reason = refusals.error(refusals.of_interruption(request.status))
    past = _of(ready, record, reason)
    others = launching.others(going, ready, past)
    if not others and not stay:
        raise coming_back.refused(record, request)
    patience = None if not others else MOVE_AFTER if stay else 0.0
    if coming_back.wait(world, ready.way, record, patience=patience):
        return record
    if not others:
        raise coming_back.refused(record, request)
    return _move(going, ready, past, others)


def move_away(going: Going, ready: Prepared, record: Record, error: RefusedError) -> Record:
    """The deployment has left a machine that cannot be started. The error: it may not."""
    past = _of(ready, record, error)
    others = launching.others(going, ready, past)
    if not others:
        raise error
    going.world.report(Note(error.message))
    return _move(going, ready, past, others)


def _of(ready: Prepared, record: Record, error: RefusedError) -> Refused:
    """The machine that is, and why it cannot run."""
    machine = ready.way.aws.instance(record.instance_id or "")
    first = ready.candidates[0]
    if machine:
        spot = machine.market == "spot"
        first = Candidate(machine.instance_type, spot=spot, zone=machine.zone, subnet_id="")
    return first, error


def _move(going: Going, ready: Prepared, past: Refused, others: list[Candidate]) -> Record:
    volume = moving.data_volume(ready.way, going.home) or ready.origin.volume
    if not going.world.confirm(f"{moving.describe(ready.record, others, volume)}\n\nGo on?"):
        raise moving.refuse(ready.record)
    return launching.launch(going, ready, past=past)
