"""What is kept of a deployment's data, and about what it costs. Pure.

A snapshot is billed by the blocks that changed since the one before, so its whole size is the most
that it can cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrapper import list_prices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wrapper.aws import Image, Snapshot, Volume

month = list_prices.month


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A volume or a snapshot that holds a deployment's data, or an image of its machine.

    The field names are a contract.
    """

    kind: Literal["volume", "snapshot", "image"]
    id: str
    gib: int
    state: str
    taken: str | None
    """final, manual or move; None for all but snapshots."""
    when: str
    """ISO 8601: the moment that a snapshot shows, or since when a volume is kept."""
    monthly_price: float
    """US dollars, about."""

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.id}, {self.gib} GiB, {about(self.monthly_price)}"


def about(dollars: float) -> str:
    """A price of a list, not of a bill."""
    return f"about ${dollars:.2f} a month"


def snapshot(one: Snapshot) -> Kept:
    """As it is told."""
    return Kept(
        kind="snapshot",
        id=one.snapshot_id,
        gib=one.gib,
        state=one.state,
        taken=one.kind,
        when=one.started_at.isoformat(timespec="seconds"),
        monthly_price=month("snapshot", one.gib),
    )


def volume(one: Volume) -> Kept:
    """As it is told."""
    return Kept(
        kind="volume",
        id=one.volume_id,
        gib=one.gib,
        state=one.state,
        taken=None,
        when=(one.kept_at or one.created_at).isoformat(timespec="seconds"),
        # A zone is its region and a letter; a local zone's price is not known here anyway.
        monthly_price=month("volume", one.gib, one.zone[:-1]),
    )


def image(one: Image, region: str) -> Kept:
    """As it is told. Billed as its snapshot."""
    return Kept(
        kind="image",
        id=one.image_id,
        gib=one.gib,
        state=one.state,
        taken=None,
        when=one.made_at.isoformat(timespec="seconds"),
        monthly_price=month("snapshot", one.gib, region),
    )


def newest_volume(volumes: Iterable[Volume]) -> Volume | None:
    """The one with the latest work on it.

    A volume that nobody kept on purpose outlived a machine that died: nothing can be newer.
    """
    return max(
        volumes,
        key=lambda one: (one.kept_at is None, one.kept_at or one.created_at, one.created_at),
        default=None,
    )


def newest(volumes: Iterable[Volume], snapshots: Iterable[Snapshot]) -> Volume | Snapshot | None:
    """What the next `up` begins with: the volume, unless a snapshot shows a later day."""
    disk = newest_volume(volumes)
    whole = [one for one in snapshots if one.state in ("completed", "pending")]
    # Of the same moment, the one of a machine at rest shows the later work.
    last = max(whole, key=lambda one: (one.started_at, one.kind == "final"), default=None)
    if disk is None or last is None:
        return disk or last
    # A volume's moment is known to the second; within the same one it may have been the later.
    moment = last.started_at.replace(microsecond=0)
    later = disk.kept_at is not None and moment > disk.kept_at
    return last if later and last.volume_id != disk.volume_id else disk
