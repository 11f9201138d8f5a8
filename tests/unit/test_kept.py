"""Of what is kept of a name's data, the latest work is what the next `up` begins with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wrapper.aws import Snapshot, Volume
from wrapper.deployment import kept

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def volume(volume_id: str = "vol-1", *, kept_at: float | None = 0) -> Volume:
    """Kept so many seconds after noon; None: nobody kept it on purpose."""
    return Volume(
        volume_id=volume_id,
        gib=50,
        state="available",
        zone="us-east-1a",
        encrypted=True,
        created_at=NOON - timedelta(hours=1),
        data_of="x",
        deployment=None,
        attached_to=None,
        snapshot_id=None,
        kept_at=None if kept_at is None else NOON + timedelta(seconds=kept_at),
        ending=None,
    )


def snapshot(
    snapshot_id: str, at: float, *, kind: str = "final", of: str = "vol-0", state: str = "completed"
) -> Snapshot:
    """Begun so many seconds after noon."""
    return Snapshot(
        snapshot_id=snapshot_id,
        volume_id=of,
        gib=50,
        state=state,
        percent=100,
        message="",
        encrypted=True,
        started_at=NOON + timedelta(seconds=at),
        data_of="x",
        kind=kind,
        ending=None,
        copy_of=None,
    )


CASES: dict[str, tuple[list[Volume], list[Snapshot], str | None]] = {
    "nothing": ([], [], None),
    "only a failed one": ([], [snapshot("snap-1", 0, state="error")], None),
    "the later of two": ([], [snapshot("snap-1", 0), snapshot("snap-2", 1)], "snap-2"),
    "of the same moment the final": (
        [],
        [
            snapshot("snap-1", 0, kind="manual"),
            snapshot("snap-2", 0),
            snapshot("snap-3", 0, kind="move"),
        ],
        "snap-2",
    ),
    "a volume before an older snapshot": ([volume()], [snapshot("snap-1", -1)], "vol-1"),
    "a later snapshot of another volume": ([volume()], [snapshot("snap-1", 1)], "snap-1"),
    "within one second the volume": ([volume()], [snapshot("snap-1", 0.9)], "vol-1"),
    "the volume before its own copy": ([volume()], [snapshot("snap-1", 9, of="vol-1")], "vol-1"),
    "what outlived a machine that died": (
        [volume(kept_at=5), volume("vol-2", kept_at=None)],
        [snapshot("snap-1", 9)],
        "vol-2",
    ),
}


@pytest.mark.parametrize(("volumes", "snapshots", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("step", [1, -1], ids=["", "reversed"])
def test_the_latest_work_is_taken(
    volumes: list[Volume], snapshots: list[Snapshot], expected: str | None, step: int
) -> None:
    found: Any = kept.newest(volumes[::step], snapshots[::step])
    name = getattr(found, "volume_id", None) if isinstance(found, Volume) else None
    assert (name or getattr(found, "snapshot_id", None)) == expected
