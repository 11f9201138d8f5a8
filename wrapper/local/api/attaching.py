"""EBS volumes on their way into instances and out of them; their blocks are the room's.

States: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-describing-volumes.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.block_device import BlockDeviceType

from wrapper.local.api.attachments import Attachment, check_attachable, check_detachable
from wrapper.local.api.volume_types import check_performance
from wrapper.local.api.volumes import Volume, VolumeStore, refusals

if TYPE_CHECKING:
    from wrapper.local.api.lifecycle import Lifecycle


class AttachingStore(VolumeStore):
    """The volumes of one account and region, and which instance has which."""

    lifecycle: Lifecycle

    def attach_volume(
        self,
        volume_id: str,
        instance_id: str,
        device_path: str,
        delete_on_termination: bool = False,
    ) -> Attachment:
        """The account knows it as attached, as launches do it; no machine is told."""
        volume = self.get_volume(volume_id)
        instance = self.get_instance(instance_id)
        # Abstract on paper only: moto makes its own in the same way.
        attachment = Attachment(volume, instance, device_path, "attached")  # type: ignore[abstract] # as said
        volume.attachment = attachment
        instance.block_device_mapping[device_path] = BlockDeviceType(
            volume_id=volume_id,
            status="attached",
            size=volume.size,
            attach_time=utcnow(),
            delete_on_termination=delete_on_termination,
        )
        return attachment

    def attach(self, volume_id: str, instance_id: str, device: str) -> Attachment:
        """The volume is on its way into the instance; EC2ClientError."""
        volume: Any = self.get_volume(volume_id)
        instance = self.get_instance(instance_id)
        check_attachable(volume, instance, device)
        with refusals():
            self.room.machines.blocks.attach(volume_id, instance_id, device)
        attachment = self.attach_volume(volume_id, instance_id, device)
        attachment.status = instance.block_device_mapping[device].status = "attaching"
        return attachment

    def check_devices(self, mappings: list[dict[str, Any]], image: Any) -> None:
        """A launch could make all of them; EC2ClientError otherwise."""
        of_image = {one["Ebs"]["SnapshotId"] for one in image.block_device_mappings}
        for ebs in (one["Ebs"] for one in mappings):
            snapshot: Any = None
            if ebs.get("SnapshotId"):
                snapshot = self.get_snapshot(ebs["SnapshotId"])
                if snapshot.id not in of_image:
                    snapshot.check_usable()
            check_performance(
                ebs.get("VolumeType") or "gp2",
                self.check_size(ebs.get("VolumeSize"), snapshot),
                ebs.get("Iops"),
                ebs.get("Throughput"),
            )

    def attach_at_launch(self, instance: Any) -> None:
        """The volumes that came with the launch, but for the root's, are real; EC2ClientError."""
        for device, block in list(instance.block_device_mapping.items()):
            if device == instance.root_device_name:
                continue
            volume: Any = self.get_volume(block.volume_id)
            try:
                self.provide(volume)
            except EC2ClientError:
                del instance.block_device_mapping[device]
                self.lifecycle.terminate(instance)
                raise
            self.room.machines.blocks.attach(volume.id, instance.id, device)

    def detach(
        self, volume_id: str, instance_id: str | None, device: str | None, *, force: bool
    ) -> Attachment:
        """The volume is on its way out of its instance; EC2ClientError."""
        volume: Any = self.get_volume(volume_id)
        attachment = check_detachable(volume, instance_id, device)
        self.room.machines.blocks.detach(volume_id, force=force)
        volume.detaching = True
        self._show(attachment, "detaching")
        return attachment

    def refresh_volumes(self) -> None:
        """Every volume is as far as its blocks are."""
        blocks = self.room.machines.blocks
        for volume in list(self.volumes.values()):
            if not isinstance(volume, Volume) or not volume.backed:
                continue
            volume.blocks_state = blocks.volume(volume.id)
            if volume.attachment is None:
                continue
            state = blocks.attachment(volume.id)
            if state != "detached":
                self._show(volume.attachment, state)
            elif volume.detaching:
                attachment = volume.attachment
                self.detach_volume(volume.id, attachment.instance.id, attachment.device)
                volume.detaching = False

    def _show(self, attachment: Attachment, state: str) -> None:
        attachment.status = state
        # An instance's own list knows no "busy":
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsInstanceBlockDevice.html
        block = attachment.instance.block_device_mapping[attachment.device]
        block.status = "detaching" if state == "busy" else state

    def release(self, instance: Any) -> None:
        """No machine has the instance's volumes any more: it is terminated."""
        for block in instance.block_device_mapping.values():
            volume: Any = self.get_volume(block.volume_id)
            if volume.backed:
                self.room.machines.blocks.detach(block.volume_id, force=True)
