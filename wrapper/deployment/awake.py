"""The machine of a deployment, for a command that needs one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import next_steps
from wrapper.deployment import coming_back
from wrapper.errors import NoAnswerError

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.home import Record

_RESTS = ("stopping", "stopped")


class StoppedError(NoAnswerError):
    """There is no machine that could answer."""

    def __init__(
        self, message: str, *, hint: str | None = None, can_be_started: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.can_be_started = can_be_started
        """`start` would do it: its owner stopped it, or it stopped by itself."""


def machine(way: Way, record: Record) -> Instance | None:
    """The deployment's machine, as EC2 shows it now."""
    return way.aws.instance(record.instance_id) if record.instance_id else None


def running(way: Way, record: Record) -> Instance:
    """The machine, which runs. StoppedError tells what it does instead, and what to type."""
    found = machine(way, record)
    if found is None or found.state != "running":
        raise asleep(way, record, found)
    return found


def asleep(way: Way, record: Record, found: Instance | None) -> StoppedError:
    """Why that machine does not run, and what to type."""
    if found and found.state in _RESTS and (request := coming_back.interrupted(way, record)):
        refused = coming_back.refused(record, request)
        return StoppedError(refused.message, hint=refused.hint)
    state = found.state if found else "absent"
    there_is_none = f"{record.name} has no machine in {record.place}."
    return StoppedError(
        f"The machine of {record.name} is {state}." if found else there_is_none,
        hint=next_steps.of(record.name, state),
        can_be_started=state in _RESTS,
    )


def is_taken(way: Way, record: Record, found: Instance | None) -> bool:
    """EC2 has taken it back, and alone can start it again."""
    rests = found is not None and found.state in _RESTS
    return rests and coming_back.interrupted(way, record) is not None
