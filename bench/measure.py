"""Whole commands, timed from outside."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PYTHON = sys.executable


def seconds(action: Callable[[], object]) -> float:
    """How long the action took, in seconds."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What the command prints; raises CalledProcessError with its standard error shown."""
    done = subprocess.run(
        arguments, env=dict(environment), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def wrapper(*arguments: str, environment: Mapping[str, str]) -> Any:
    """The JSON document that `python -m wrapper ... --json` ends with."""
    return json.loads(run([PYTHON, "-m", "wrapper", *arguments, "--json"], environment))


def median(arguments: Sequence[str], environment: Mapping[str, str], *, runs: int = 7) -> float:
    """The median time of the command in seconds, after one run that is not counted."""
    times = [seconds(lambda: run(arguments, environment)) for _ in range(runs + 1)]
    return statistics.median(times[1:])
