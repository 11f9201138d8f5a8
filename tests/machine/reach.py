"""A machine of the embedded EC2 from its host: a command inside, and what it comes to."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from wrapper import local
from wrapper.local.requirements import sudo

if TYPE_CHECKING:
    from collections.abc import Callable


def inside(instance_id: str, *command: str, check: bool = True) -> str:
    """What the command prints, run by root inside the machine."""

    def process() -> Any:
        return next(
            (one["pid"] for one in local.status().machines if one["instance_id"] == instance_id),
            None,
        )

    enter = [*sudo(), "nsenter", "--target", str(until(process, "no such machine")), "--all"]
    return subprocess.run(
        [*enter, *command], check=check, stdout=subprocess.PIPE, text=True, timeout=300
    ).stdout


def until(
    done: Callable[[], Any],
    what: str | Callable[[], str] = "it never came to that",
    *,
    seconds: float = 300,
    every: float = 0.3,
) -> Any:
    """What it says first that is true. AssertionError with `what` when it does not come to it."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        time.sleep(every)
    return found
