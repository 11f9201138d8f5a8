"""A moment in the past, as people say it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from wrapper.errors import UsageError

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_HINT = "For example: --since 7d, --since 12h, --since 2026-11-01"
_EARLIEST = date(2006, 8, 25)
"""EC2's first day; what is earlier is a slip of the keyboard."""


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
