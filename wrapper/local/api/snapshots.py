"""Snapshots: copies of a volume's blocks as they were at the moment of asking.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshot.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopySnapshot.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import Snapshot as MotoSnapshot
from moto.ec2.utils import generic_filter, random_snapshot_id

from wrapper.local.api.volumes import refusals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from moto.ec2.models import EC2Backend as EBSBackend  # what it is a part of

    from wrapper.local.api.room import Room
else:
    from moto.ec2.models.elastic_block_store import EBSBackend

NO_VOLUME: Final = "vol-ffffffff"
"""What EC2 names as the volume of a copied snapshot."""


class Snapshot(MotoSnapshot):
    """A snapshot of the size that its volume had then."""

    completion_time: datetime | None = None
    state_message: str | None = None
    of_root = False
    """Of a machine's root disk: blocks that machines can begin with, and volumes cannot."""

    def __init__(self, backend: Any, volume: Any, description: str, **more: Any) -> None:
        self.gib = int(volume.size)
        self.made_of = str(volume.id)
        super().__init__(backend, random_snapshot_id(), volume, description, **more)
        self.backed = False
        self.percent = 100

    @property
    def volume_id(self) -> str:
        return self.made_of

    @property
    def volume_size(self) -> int:
        return self.gib

    @property
    def progress(self) -> str:
        return f"{self.percent}%"

    @property
    def transfer_type(self) -> str:
        """As of a copy within a region or between two."""
        return "standard"

    def copied(self) -> None:
        """It is a copy of another snapshot, and of no volume."""
        self.made_of = NO_VOLUME

    def check_usable(self) -> None:
        """A volume can be made of it, and a copy; EC2ClientError otherwise."""
        if self.status != "completed":
            raise EC2ClientError(
                "IncorrectState", f"Snapshot is in invalid state - {self.status}: {self.id}"
            )
        if not self.backed:
            raise EC2ClientError(
                "UnsupportedOperation",
                f"The embedded EC2 has no blocks of '{self.id}', the snapshot of an image.",
            )

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        known = {
            "progress": self.progress,
            "volume-id": self.volume_id,
            "volume-size": self.volume_size,
        }
        if filter_name in known:
            return known[filter_name]
        return super().get_filter_value(filter_name, method_name)


class SnapshotStore(EBSBackend):
    """The snapshots of one account and region."""

    room: Room

    def get_snapshot(self, snapshot_id: str) -> Any:
        if snapshot_id not in self.snapshots:
            raise EC2ClientError(
                "InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."
            )
        return self.snapshots[snapshot_id]

    def create_snapshot(
        self,
        volume_id: str,
        description: str,
        owner_id: str | None = None,
        from_ami: str | None = None,
    ) -> Any:
        """A snapshot without blocks, as images have them."""
        volume = self.get_volume(volume_id)
        snapshot = Snapshot(
            self,
            volume,
            description,
            encrypted=volume.encrypted,
            owner_id=owner_id,
            from_ami=from_ami,
        )
        self.snapshots[snapshot.id] = snapshot
        return snapshot

    def take_snapshot(self, volume_id: str, description: str) -> Snapshot:
        """The volume's blocks of this moment are being copied; EC2ClientError."""
        volume: Any = self.get_volume(volume_id)
        if volume.status not in ("available", "in-use"):
            raise EC2ClientError(
                "IncorrectState", f"The volume '{volume_id}' is in the '{volume.status}' state."
            )
        if not volume.backed:
            raise EC2ClientError(
                "UnsupportedOperation",
                f"'{volume_id}' is the root volume of a machine; the embedded EC2 makes snapshots "
                "of other volumes only.",
            )
        snapshot = Snapshot(
            self, volume, description, encrypted=volume.encrypted, kms_key_id=volume.kms_key_id
        )
        with refusals():
            self.room.machines.blocks.create_snapshot(snapshot.id, volume_id)
        return self._begun(snapshot)

    def take_copy(
        self, source: Snapshot, description: str, *, encrypted: bool, kms_key_id: str | None
    ) -> Snapshot:
        """A snapshot of any region is being copied into this one; EC2ClientError."""
        source.check_usable()
        encrypted = encrypted or source.encrypted
        if encrypted and not kms_key_id:
            kms_key_id = self.default_kms_key_id or self._create_default_encryption_key()
        snapshot = Snapshot(
            self, source.volume, description, encrypted=encrypted, kms_key_id=kms_key_id
        )
        snapshot.gib = source.gib
        snapshot.copied()
        with refusals():
            self.room.machines.blocks.copy_snapshot(snapshot.id, source.id)
        return self._begun(snapshot)

    def take_root_snapshot(self, snapshot: Snapshot, instance: Any, *, reboot: bool) -> None:
        """The blocks of the instance's root disk are being copied for it; EC2ClientError."""
        volume = self.get_volume(instance.block_device_mapping[instance.root_device_name].volume_id)
        with refusals():
            self.room.machines.create_root_snapshot(snapshot.id, instance.id, reboot=reboot)
        snapshot.of_root, snapshot.percent, snapshot.status = True, 0, "pending"
        snapshot.gib, snapshot.encrypted = int(volume.size), volume.encrypted
        snapshot.kms_key_id, snapshot.made_of = volume.kms_key_id, volume.id

    def _begun(self, snapshot: Snapshot) -> Snapshot:
        snapshot.backed, snapshot.percent, snapshot.status = True, 0, "pending"
        self.snapshots[snapshot.id] = snapshot
        return snapshot

    def refresh_snapshots(self) -> None:
        """Every snapshot is as far as its blocks are."""
        for snapshot in self.snapshots.values():
            if not isinstance(snapshot, Snapshot) or snapshot.status != "pending":
                continue
            progress = self.room.machines.blocks.snapshot(snapshot.id)
            snapshot.percent = progress.percent
            if progress.error:
                snapshot.status, snapshot.state_message = "error", progress.error
            elif progress.percent == 100:  # noqa: PLR2004 - of a hundred
                snapshot.status, snapshot.completion_time = "completed", utcnow()

    def describe_snapshots(
        self,
        snapshot_ids: list[str] | None = None,
        filters: Any = None,
        owners: Sequence[str] = (),
    ) -> list[Any]:
        known = [self.get_snapshot(one) for one in snapshot_ids or self.snapshots]
        account = self.account_id
        wanted = {account if one == "self" else one for one in owners}
        if wanted:
            known = [one for one in known if one.owner_id in wanted]
        return list(generic_filter(filters or {}, known))

    def delete_snapshot(self, snapshot_id: str) -> Any:
        self.get_snapshot(snapshot_id)
        snapshot: Any = super().delete_snapshot(snapshot_id)
        if snapshot.backed or snapshot.of_root:
            self.room.machines.blocks.delete_snapshot(snapshot_id)
        self.tags.pop(snapshot_id, None)
        return snapshot
