"""What the machine may be given a right to, checked before anything is made. Pure."""

from __future__ import annotations

import re

from wrapper.errors import SettingsError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=@+-][A-Za-z0-9_.=@+-]*)*")


def check_bucket(place: str | None) -> None:
    """It is NAME or NAME/PREFIX, or nothing. SettingsError."""
    if place is not None and not _BUCKET.fullmatch(place):
        raise SettingsError(
            f"--bucket {place} is neither NAME nor NAME/PREFIX, with no s3:// before, no "
            "slash after, and in the prefix letters, digits and _.=@+- alone.",
            hint="--bucket my-data/experiments",
        )
