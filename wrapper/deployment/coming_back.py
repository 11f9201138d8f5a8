"""A machine that EC2 took back: how it stands, and the wait for its return."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrapper import next_steps, refusals
from wrapper.deployment.events import Note, Step
from wrapper.errors import AwsError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.aws import SpotRequest
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record

EVERY = 5.0
"""Seconds between looks at the request."""


def machines_request(way: Way, record: Record) -> SpotRequest | None:
    """The machine's spot request; None for an on-demand one."""
    request_id = record.outputs.get("spot_request_id")
    return way.aws.spot_request(request_id) if request_id else None


def interrupted(way: Way, record: Record) -> SpotRequest | None:
    """The request of a machine that EC2 stopped, or is about to; None for any other."""
    found = machines_request(way, record)
    if found is None or not refusals.was_interrupted(found.status):
        return None
    if found.state == "active":  # marked: EC2 says the same while it stops for its owner
        return None if _stops_for_its_owner(way, record) else found
    return found if refusals.waits_for_capacity(found.state, found.status) else None


def _stops_for_its_owner(way: Way, record: Record) -> bool:
    found = way.aws.instance(record.instance_id) if record.instance_id else None
    return found is not None and (found.state_reason or "").startswith("Client.")


def refuse_to_start(way: Way, record: Record) -> None:
    """EC2 would take a start from the owner. NoAnswerError tells who alone can start it."""
    found = interrupted(way, record)
    if found:
        raise refused(record, found)


def refused(record: Record, request: SpotRequest) -> NoAnswerError:
    """Only waiting or moving helps."""
    return NoAnswerError(
        f"{record.name}: {refusals.in_words(request.state, request.status)}.",
        hint=next_steps.of(record.name, "stopped", taken=True),
    )


def wait(world: World, way: Way, record: Record, *, patience: float | None) -> bool:
    """EC2 has started the machine again, or leaves that to its owner; False when it has not after
    so many seconds.

    Each change of the request's status is told. A hiccup of the API does not end the wait.
    """
    world.report(Step("Waiting for EC2 to start the machine again"))
    end = None if patience is None else time.monotonic() + patience
    tell = _Teller(world)
    while end is None or time.monotonic() < end:
        try:
            found = machines_request(way, record)
            machine = way.aws.instance(record.instance_id) if record.instance_id else None
        except AwsError:
            time.sleep(EVERY)
            continue
        if found is None or machine is None or machine.state in ("shutting-down", "terminated"):
            return False
        tell(refusals.in_words(found.state, found.status))
        if not refusals.was_interrupted(found.status) and machine.state == "running":
            return True
        if found.status in refusals.WAITS_FOR_ITS_OWNER and machine.state == "stopped":
            return True  # as after a rehearsal: EC2 never would
        time.sleep(EVERY)
    return False


class _Teller:
    """Tells what has not been told last."""

    def __init__(self, world: World) -> None:
        self._report: Callable[[Note], None] = world.report
        self._last = ""

    def __call__(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self._report(Note(text))
