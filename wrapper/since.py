"""A moment in the past, and how long ago it was, as people say it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from wrapper.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_HINT = "For example: --since 7d, --since 12h, --since 2026-11-01"
_MINUTE = 60
_EARLIEST = date(2006, 8, 25)
"""EC2's first day; what is earlier is a slip of the keyboard."""


def ages(of_kinds: Mapping[str, float]) -> str:
    """How old each is, the youngest first; nothing of what is not a minute old."""
    told = sorted((seconds, what) for what, seconds in of_kinds.items() if seconds >= _MINUTE)
    return ", ".join(f"{what} {_age(seconds)}" for seconds, what in told)


def _age(seconds: float) -> str:
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min old" if minutes < 2 * _MINUTE else f"{minutes / _MINUTE:.0f} h old"


def parse(text: str, *, now: datetime) -> datetime:
    """That moment, aware. UsageError for what is none, and for the future."""
    if match := re.fullmatch(r"(\d{1,4})([hdw])", text.strip()):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--since {text}: neither a date nor a time span.", hint=_HINT) from None
    if found.tzinfo is None:
        found = found.astimezone()  # a day of this computer's
    if found > now:
        raise UsageError(
            f"--since {text} is in the future: it is {now:%Y-%m-%d %H:%M} UTC.", hint=_HINT
        )
    if found.date() < _EARLIEST:
        raise UsageError(f"--since {text}: there was no EC2 then.", hint=_HINT)
    return found.astimezone(UTC)
