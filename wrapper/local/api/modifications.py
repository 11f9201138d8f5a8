"""Modifications of volumes: only ever larger, one at a time, four a day.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-modifications.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError

from wrapper.local.api.volume_types import check_performance, performance

if TYPE_CHECKING:
    from datetime import datetime

MODIFYING: Final = timedelta(seconds=0.2)
OPTIMIZING: Final = timedelta(seconds=1)
"""Since the beginning. The new size is there at once; on AWS this goes on for minutes to hours."""
A_DAY: Final = timedelta(hours=24)
PER_DAY: Final = 4
ATTRIBUTES: Final = ("size", "volume_type", "iops", "throughput", "multi_attach_enabled")


class Modification:
    """One modification, its targets in force from the beginning."""

    def __init__(self, volume: Any, target: dict[str, Any]) -> None:
        self.volume_id = volume.id
        self.start_time = utcnow()
        for name in ATTRIBUTES:
            setattr(self, f"original_{name}", getattr(volume, name))
        volume.size = target.get("size", volume.size)
        volume.volume_type = target.get("volume_type", volume.volume_type)
        same = "volume_type" not in target
        volume.iops, volume.throughput = performance(
            volume.volume_type,
            volume.size,
            target.get("iops") or (volume.iops if same else None),
            target.get("throughput") or (volume.throughput if same else None),
        )
        for name in ATTRIBUTES:
            setattr(self, f"target_{name}", getattr(volume, name))

    @property
    def _passed(self) -> timedelta:
        return utcnow() - self.start_time

    @property
    def modification_state(self) -> str:
        if self._passed >= OPTIMIZING:
            return "completed"
        return "modifying" if self._passed < MODIFYING else "optimizing"

    @property
    def progress(self) -> int:
        return 100 if self.end_time else int(100 * (self._passed / OPTIMIZING))

    @property
    def end_time(self) -> datetime | None:
        return None if self._passed < OPTIMIZING else self.start_time + OPTIMIZING

    def get_filter_value(self, filter_name: str) -> Any:
        """The value that DescribeVolumesModifications compares."""
        return getattr(self, filter_name.replace("-", "_"))


def check_modifiable(volume: Any, target: dict[str, Any]) -> None:
    """The volume may become that now; EC2ClientError otherwise."""
    if volume.status not in ("available", "in-use"):
        raise EC2ClientError(
            "IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state."
        )
    if not target:
        raise EC2ClientError("InvalidParameterValue", "No modification was requested.")
    size = target.get("size", volume.size)
    if size < volume.size:
        raise EC2ClientError(
            "InvalidParameterValue", "New size cannot be smaller than existing size"
        )
    check_performance(
        target.get("volume_type", volume.volume_type),
        size,
        target.get("iops"),
        target.get("throughput"),
    )
    recent = [one for one in volume.modifications if utcnow() - one.start_time < A_DAY]
    if recent and recent[-1].modification_state != "completed":
        raise EC2ClientError(
            "IncorrectModificationState",
            f"Volume {volume.id} cannot be modified in modification state "
            f"{recent[-1].modification_state.upper()}",
        )
    if len(recent) >= PER_DAY:
        raise EC2ClientError(
            "VolumeModificationRateExceeded",
            f"Volume {volume.id} was modified {PER_DAY} times within 24 hours, which is the most "
            "that a volume may be.",
        )
