"""How long a machine runs by itself: what may be asked for, and in words. Pure."""

from __future__ import annotations

import datetime as dt
import math

from wrapper.errors import SettingsError

IDLE_MINUTES, MAX_HOURS = 45.0, 12.0
"""The module's own defaults."""
MONTH = 720.0
"""Hours; more is asked about, and more than the module takes."""
LONGEST = 8784.0
"""Hours of a year; the machine takes no more."""
_LEAST_HOURS, _LEAST_MINUTES, _MOST_MINUTES = 0.1, 1.0, 44640.0


def check_hours(hours: float | None, *, option: str, none: bool = True) -> None:
    """SettingsError for what is no number of hours; 0 only where it can mean no limit."""
    if hours is None or (none and hours == 0):
        return
    # Nothing is true of NaN.
    if not _LEAST_HOURS <= hours <= LONGEST:
        also = ", or 0 for no limit" if none else ""
        raise SettingsError(
            f"{option} {hours:g}: from {_LEAST_HOURS:g} to {LONGEST:g} hours{also}.",
            hint=f"For example: {option} 8",
        )


def check_minutes(minutes: float | None) -> None:
    """SettingsError for what is no number of minutes; 0 is never."""
    if minutes in (None, 0) or (minutes and _LEAST_MINUTES <= minutes <= _MOST_MINUTES):
        return
    raise SettingsError(
        f"--idle {minutes:g}: from {_LEAST_MINUTES:g} to {_MOST_MINUTES:g} minutes, or 0 for "
        "never.",
        hint="For example: --idle 45",
    )


def for_the_module(hours: float) -> float:
    """What the module takes; of a longer time the machine is told once it answers."""
    return min(hours, MONTH)


def in_words(idle_minutes: float, max_hours: float) -> str:
    """When a machine stops by itself."""
    told = []
    if idle_minutes:
        told.append(f"after {idle_minutes:g} minutes without work")
    if max_hours:
        told.append(f"after {max_hours:g} hours" + (" in any case" if told else ""))
    return ", ".join(told) or "never by itself"


def moment(instant: str, *, now: dt.datetime | None = None, seconds: bool = False) -> str:
    """A moment of the machine's, as a clock here shows it."""
    clock = "%H:%M:%S" if seconds else "%H:%M"
    found = dt.datetime.fromisoformat(instant).astimezone()
    now = (now or dt.datetime.now(dt.UTC)).astimezone(found.tzinfo)
    return found.strftime(clock if found.date() == now.date() else f"%a %d %b {clock}")


def is_more_than_a_month(hours: float | None) -> bool:
    """So much is worth a question."""
    return hours is not None and math.isfinite(hours) and hours > MONTH
