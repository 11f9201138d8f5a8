"""A machine that EC2 took back: waited for, or moved away from, as the user allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.deployment import coming_back, launching, moving
from wrapper.deployment.events import Note
from wrapper.deployment.fallback import Candidate

if TYPE_CHECKING:
    from wrapper.aws import SpotRequest
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.progress import Meter
    from wrapper.deployment.watch import Watch
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

MOVE_AFTER = 120.0
"""Seconds that `--watch` gives capacity to return before it moves: a move takes longer."""


def bring_back(  # noqa: PLR0913, PLR0917 (the parts of an `up`)
    world: World,
    home: Home,
    ready: Prepared,
    meter: Meter,
    watch: Watch,
    record: Record,
    request: SpotRequest,
    *,
    stay: bool,
) -> Record:
    """The deployment has a machine that runs: EC2 started the old one, or it has moved.

    NoAnswerError when only waiting helps and nobody wants to; RefusedError when all is refused.
    """
    world.report(Note(f"{record.name}: {refusals.in_words(request.state, request.status)}"))
    machine = ready.way.aws.instance(record.instance_id or "")
    past = None
    if machine:
        reason = refusals.error(refusals.of_interruption(request.status))
        taken = Candidate(machine.instance_type, spot=True, zone=machine.zone, subnet_id="")
        past = (taken, reason)
    others = launching.others(ready, past) if past else [*ready.candidates]
    if not others and not stay:
        raise coming_back.refused(record, request)
    patience = None if not others else MOVE_AFTER if stay else 0.0
    if coming_back.wait(world, ready.way, record, patience=patience):
        return record
    if not others:
        raise coming_back.refused(record, request)
    volume = moving.data_volume(ready.way, home) or ready.origin.volume
    if not world.confirm(f"{moving.describe(record, others, volume)}\n\nGo on?"):
        raise moving.refuse(record)
    return launching.launch(world, home, ready, meter, watch, past=past)
