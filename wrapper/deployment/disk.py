"""How full the user's disk is, and what helps. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from wrapper.home import Record
    from wrapper.notebook import CloudsStatus

MIB, GIB = 2**20, 2**30
_FULL, _NEARLY = 100 * MIB, 5 * GIB
"""Bytes free below which a large disk counts as full, or nearly; a small one by its share."""
_LARGEST = 16384
"""GiB that a gp3 volume can have here: variables.tf, data_volume_size."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The file system of the work folder; its field names are a contract (`status --json`)."""

    free_bytes: int
    total_bytes: int
    state: Literal["ok", "nearly full", "full"]
    hint: str | None
    """What makes room; None when there is enough."""

    @property
    def words(self) -> str:
        """For a person."""
        used = 100 - round(100 * self.free_bytes / self.total_bytes)
        told = "" if self.state == "ok" else f"{self.state.upper()}: "
        return f"{told}{used} % of {gib(self.total_bytes)} used, {gib(self.free_bytes)} free"

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def of(record: Record, told: CloudsStatus) -> Disk | None:
    """As the machine tells of it; None where it is too old to tell both numbers."""
    free, total = told.disk_free, told.disk_total
    return None if free is None or not total else judge(record, free, total)


def judge(record: Record, free: int, total: int) -> Disk:
    """Whether so many bytes are enough."""
    if free < min(_FULL, total // 100):
        state: Literal["ok", "nearly full", "full"] = "full"
    else:
        state = "nearly full" if free < min(_NEARLY, total // 10) else "ok"
    hint = None if state == "ok" else more_room(record, total)
    return Disk(free_bytes=free, total_bytes=total, state=state, hint=hint)


def more_room(record: Record, total: int) -> str:
    """The command that makes the disk larger, while all runs; else how to find what to delete."""
    wanted = min(_LARGEST, _rounded(total * 3 // 2))
    volume_id = record.outputs.get("data_volume_id")
    if volume_id is None or wanted * GIB <= total:
        return "Delete what is not needed; the largest, in a terminal: du -xh ~ | sort -h | tail"
    if record.settings.get("data_volume_id"):
        return (
            f"aws ec2 modify-volume --region {record.place.region} --volume-id {volume_id} "
            f"--size {wanted}"
        )
    return f"python -m wrapper up {record.name} --data-size {wanted}"


def _rounded(size: int) -> int:
    """GiB, in tens."""
    return -(-size // (10 * GIB)) * 10


def gib(size: int) -> str:
    """For a person."""
    told = f"{size / GIB:.1f}".removesuffix(".0")
    return f"{told} GiB" if size >= GIB else f"{size // MIB} MiB"
