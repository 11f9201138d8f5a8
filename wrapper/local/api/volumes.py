"""EBS volumes: made, grown and deleted under EC2's rules; their blocks are the room's.

States: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-describing-volumes.html
Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
What a launch makes of itself (an image's snapshot, a root volume) has no blocks here: a machine's
root disk belongs to the machine.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import Volume as MotoVolume
from moto.ec2.utils import generic_filter, random_volume_id

from wrapper.errors import LocalError
from wrapper.local.api.modifications import Modification, check_modifiable
from wrapper.local.api.volume_types import check_performance, performance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.ec2.models import EC2Backend as EBSBackend  # what it is a part of

    from wrapper.local.api.attachments import Attachment
    from wrapper.local.api.room import Room
else:
    from moto.ec2.models.elastic_block_store import EBSBackend


class Volume(MotoVolume):
    """A volume, and where its blocks are."""

    backed = False
    """Whether the room has blocks of it."""
    blocks_state = "available"
    detaching = False
    attachment: Attachment | None

    @property
    def status(self) -> str:
        return "in-use" if self.attachment else self.blocks_state

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "attachment.delete-on-termination" and self.attachment:
            return self.attachment.delete_on_termination
        return super().get_filter_value(filter_name, method_name)


@contextmanager
def refusals() -> Iterator[None]:
    """What this computer refuses is an answer of EC2's."""
    try:
        yield
    except LocalError as error:
        raise EC2ClientError("InsufficientVolumeCapacity", error.message) from error


class VolumeStore(EBSBackend):
    """The volumes of one account and region."""

    room: Room

    def create_volume(
        self,
        size: int | None,
        zone_name: str,
        *_: Any,
        **asked: Any,
    ) -> Volume:
        """A volume without blocks, as launches and images make them; EC2ClientError.

        Further keywords are moto's: snapshot_id, encrypted, kms_key_id, volume_type, iops,
        throughput.
        """
        snapshot_id, kms_key_id = asked.get("snapshot_id"), asked.get("kms_key_id")
        encrypted = bool(asked.get("encrypted"))
        if kms_key_id and not encrypted:
            raise EC2ClientError(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            )
        snapshot: Any = self.get_snapshot(snapshot_id) if snapshot_id else None
        gib, kind = self.check_size(size, snapshot), asked.get("volume_type") or "gp2"
        check_performance(kind, gib, asked.get("iops"), asked.get("throughput"))
        iops, throughput = performance(kind, gib, asked.get("iops"), asked.get("throughput"))
        encrypted = encrypted or bool(snapshot and snapshot.encrypted)
        if encrypted and not kms_key_id:
            kms_key_id = self.default_kms_key_id or self._create_default_encryption_key()
        # Abstract on paper only: moto makes its own in the same way.
        volume = Volume(  # type: ignore[abstract] # as said
            self,
            random_volume_id(),
            gib,
            self.get_zone_by_name(zone_name),
            snapshot_id=snapshot_id,
            encrypted=encrypted,
            kms_key_id=kms_key_id,
            volume_type=kind,
            iops=iops,
            throughput=throughput,
            multi_attach_enabled=False,
        )
        self.volumes[volume.id] = volume
        return volume

    def check_size(self, size: int | None, snapshot: Any) -> int:
        """The volume's GiB, a snapshot's own unless more was asked for; EC2ClientError."""
        if size is None and snapshot is None:
            raise EC2ClientError(
                "MissingParameter", "The request must contain the parameter size/snapshot"
            )
        gib = int(size) if size is not None else int(snapshot.volume_size)
        if snapshot is not None and gib < snapshot.volume_size:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Volume of {gib}GiB is smaller than snapshot '{snapshot.id}' of "
                f"{snapshot.volume_size}GiB",
            )
        if gib < 1:
            raise EC2ClientError("InvalidParameterValue", f"Volume of {gib}GiB is too small.")
        return gib

    def provide(self, volume: Volume) -> None:
        """The room makes the volume's blocks; EC2ClientError, and no volume, if it cannot."""
        snapshot: Any = self.get_snapshot(volume.snapshot_id) if volume.snapshot_id else None
        try:
            if snapshot is not None:
                snapshot.check_usable()
            with refusals():
                self.room.machines.blocks.create_volume(volume.id, volume.size, volume.snapshot_id)
        except EC2ClientError:
            self.volumes.pop(volume.id, None)
            raise
        volume.backed = True

    def describe_volumes(
        self, volume_ids: list[str] | None = None, filters: Any = None
    ) -> list[Any]:
        known = [self.get_volume(one) for one in volume_ids or self.volumes]
        return list(generic_filter(filters or {}, known))

    def delete_volume(self, volume_id: str) -> Any:
        volume = super().delete_volume(volume_id)
        if isinstance(volume, Volume) and volume.backed:
            self.room.machines.blocks.delete_volume(volume_id)
        self.tags.pop(volume_id, None)
        return volume

    def modify(self, volume_id: str, target: dict[str, Any]) -> Modification:
        """The volume is being modified; EC2ClientError. Keys of `target` are moto's attributes."""
        volume: Any = self.get_volume(volume_id)
        check_modifiable(volume, target)
        if volume.backed and target.get("size", volume.size) > volume.size:
            with refusals():
                self.room.machines.blocks.grow_volume(volume_id, target["size"])
        modification = Modification(volume, target)
        volume.modifications.append(modification)
        if volume.attachment:
            instance = volume.attachment.instance
            instance.block_device_mapping[volume.attachment.device].size = volume.size
        return modification

    def describe_volumes_modifications(
        self, volume_ids: list[str] | None = None, filters: Any = None
    ) -> list[Any]:
        """The latest of each volume that was modified at all."""
        volumes = self.describe_volumes(volume_ids)
        for volume in volumes if volume_ids else []:
            if not volume.modifications:
                raise EC2ClientError(
                    "InvalidVolumeModification.NotFound",
                    f"Modification for volume '{volume.id}' does not exist.",
                )
        latest = [volume.modifications[-1] for volume in volumes if volume.modifications]
        return list(generic_filter(filters or {}, latest))
