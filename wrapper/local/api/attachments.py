"""Volumes in instances: which may be attached and detached, and what EC2 answers otherwise.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import VolumeAttachment

if TYPE_CHECKING:
    from wrapper.local.api.volumes import Volume

DEVICE: Final = re.compile(r"(/dev/)?(sd[a-z]([1-9]|1[0-5])?|xvd([a-z]|[b-d][a-z])|hd[a-z])")
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html"""


class Attachment(VolumeAttachment):
    """A volume in an instance."""

    @property
    def delete_on_termination(self) -> bool:
        """As the instance's block device mapping says, which may be changed."""
        block = self.instance.block_device_mapping.get(self.device)
        return bool(block and block.delete_on_termination)

    @property
    def is_root(self) -> bool:
        """Whether the instance boots from it."""
        return bool(self.device == self.instance.root_device_name)


def check_attachable(volume: Volume, instance: Any, device: str) -> None:
    """The instance may have the volume under that name; EC2ClientError otherwise."""
    if volume.attachment:
        raise EC2ClientError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.status != "available":
        raise EC2ClientError("IncorrectState", f"'{volume.id}' is not 'available'.")
    if instance.state not in ("running", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.availability_zone != instance.availability_zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance "
            f"'{instance.id}'",
        )
    if not DEVICE.fullmatch(device or ""):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS "
            "device name.",
        )
    if device in instance.block_device_mapping:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )


def check_detachable(volume: Volume, instance_id: str | None, device: str | None) -> Attachment:
    """The attachment that is to end; EC2ClientError when there is none, or not that one."""
    attachment = volume.attachment
    if attachment is None:
        raise EC2ClientError(
            "IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state."
        )
    if instance_id not in (None, attachment.instance.id):
        raise EC2ClientError(
            "InvalidAttachment.NotFound",
            f"The volume '{volume.id}' is not attached to instance '{instance_id}'.",
        )
    if device not in (None, attachment.device):
        raise EC2ClientError(
            "InvalidAttachment.NotFound",
            f"The volume '{volume.id}' is not attached to instance "
            f"'{attachment.instance.id}' as device '{device}'.",
        )
    if attachment.is_root:
        # EC2 allows it of a stopped instance; here a root disk is part of its machine.
        raise EC2ClientError(
            "OperationNotPermitted",
            f"Unable to detach root volume '{volume.id}' from instance '{attachment.instance.id}'",
        )
    return attachment
