"""What the data volume is asked to begin with, checked before anything is made. Pure."""

from __future__ import annotations

import re

from wrapper.errors import SettingsError

NO_DATA = "none"
"""In the place of a snapshot: it begins empty."""
_SNAPSHOT = re.compile(r"snap-[0-9a-f]{8,17}")
_VOLUME = re.compile(r"vol-[0-9a-f]{8,17}")


def check_data(*, volume: str | None, snapshot: str | None, gib: int | None) -> None:
    """The data volume can begin so. SettingsError."""
    if volume is not None and not _VOLUME.fullmatch(volume):
        raise SettingsError(
            f"--data-volume {volume} is no volume's id.", hint="--data-volume vol-0123456789abcdef0"
        )
    if snapshot not in (None, NO_DATA) and not _SNAPSHOT.fullmatch(str(snapshot)):
        raise SettingsError(
            f"--data-snapshot {snapshot} is no snapshot's id.",
            hint=f"--data-snapshot {NO_DATA}, or one of: python -m wrapper snapshots",
        )
    if volume and snapshot not in (None, NO_DATA):
        raise SettingsError(
            "--data-volume and --data-snapshot: a volume that exists cannot start from a snapshot.",
            hint="Give one of them.",
        )
    if gib == 0 and snapshot not in (None, NO_DATA):
        raise SettingsError(
            f"--data-size 0 is no volume, and {snapshot} needs one.",
            hint="Leave --data-size out: it is the snapshot's then.",
        )
