"""Images of one's own: made of a machine's root disk, deregistered, their snapshots kept or not.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami
from moto.ec2.utils import random_ami_id

from wrapper.local.api.snapshots import SnapshotStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moto.ec2.models import EC2Backend as AmiBackend  # what it is a part of

    from wrapper.local.api.snapshots import Snapshot
else:
    from moto.ec2.models.amis import AmiBackend

_NAME: Final = re.compile(r"[\w ()\[\]./\-'@]{3,128}", re.ASCII)
_STATES: Final = {"completed": "available", "error": "failed"}


class OwnImage(Ami):
    """An image of a machine's root disk, as far as its snapshot is."""

    imds_support: str | None = None
    """Only what ModifyImageAttribute sets: no document says that it is inherited."""
    ebs_snapshot: Snapshot

    def __init__(self, backend: OwnImages, instance: Any, name: str, description: str) -> None:
        ami_id = random_ami_id()
        super().__init__(
            backend,
            ami_id,
            instance=instance,
            name=name,
            description=description,
            state="pending",
            image_location=f"{backend.account_id}/{name}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=instance.root_device_name,
            region_name=instance.availability_zone,
            snapshot_description=f"Created by CreateImage({instance.id}) for {ami_id}",
            boot_mode="uefi-preferred",
        )
        self.ena_support = True
        self.machine_image = str(instance.machine_image)

    @property
    def root_snapshot(self) -> str:
        """What machines begin with."""
        return str(self.ebs_snapshot.id)

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return [
            {
                "DeviceName": self.root_device_name,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "Encrypted": self.ebs_snapshot.encrypted,
                    "SnapshotId": self.ebs_snapshot.id,
                    "VolumeSize": self.ebs_snapshot.gib,
                    "VolumeType": "gp3",
                },
            }
        ]


class OwnImages(SnapshotStore, AmiBackend):
    """The images that one account made in one region."""

    def make_image(
        self, instance_id: str, name: str, description: str, *, reboot: bool, without: set[str]
    ) -> OwnImage:
        """An image of the instance is being made; EC2ClientError. `without`: devices left out."""
        instance: Any = self.get_instance(instance_id)
        if instance.state not in ("running", "stopped"):
            raise EC2ClientError(
                "IncorrectState", f"Instance is not in state 'running' or 'stopped': {instance_id}"
            )
        self._check_name(name)
        left = set(instance.block_device_mapping) - {instance.root_device_name} - without
        if left:
            raise EC2ClientError(
                "UnsupportedOperation",
                f"The embedded EC2 makes images of root volumes only: leave {', '.join(left)} out.",
            )
        image = OwnImage(self, instance, name, description)
        self.take_root_snapshot(image.ebs_snapshot, instance, reboot=reboot)
        self.amis[image.id] = image
        return image

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise EC2ClientError("InvalidAMIName.Malformed", f"AMI name '{name}' is invalid.")
        for one in self.amis.values():
            if isinstance(one, OwnImage) and one.name == name and one.state != "failed":
                raise EC2ClientError(
                    "InvalidAMIName.Duplicate",
                    f"AMI name {name} is already in use by AMI {one.id}",
                )

    def refresh_images(self) -> None:
        """Every image is as far as its snapshot is."""
        for image in self.amis.values():
            if isinstance(image, OwnImage) and image.state == "pending":
                image.state = _STATES.get(image.ebs_snapshot.status, "pending")

    def launchable(self, image_id: str) -> Any:
        """The image, with which a machine can begin; EC2ClientError otherwise."""
        found = self.describe_images(ami_ids=[image_id])  # none: it was deregistered
        if not found or found[0].state != "available":
            raise EC2ClientError(
                "InvalidAMIID.Unavailable", f"The image ID '[{image_id}]' is not available"
            )
        return found[0]

    def deregister(self, image_id: str, *, with_snapshots: bool) -> list[dict[str, str]]:
        """No machine begins with the image any more; what became of its snapshots, if asked."""
        image = self.amis.get(image_id)
        if image is not None and not isinstance(image, OwnImage):
            raise EC2ClientError("AuthFailure", f"Not authorized for image:{image_id}")
        self.deregister_image(image_id)
        if not (with_snapshots and image):
            return []
        self.delete_snapshot(image.ebs_snapshot.id)
        return [{"SnapshotId": image.ebs_snapshot.id, "ReturnCode": "success"}]

    def register_image(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError  # moto's would be an image of nothing

    def copy_image(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError  # likewise


def tags_by_kind(specifications: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Tags for the image and for its snapshots, as a request gives them; EC2ClientError."""
    found: dict[str, dict[str, str]] = {"image": {}, "snapshot": {}}
    for one in specifications:
        kind = one["ResourceType"]
        if kind not in found:
            raise EC2ClientError(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type."
            )
        found[kind] |= {tag["Key"]: tag.get("Value", "") for tag in one["Tags"]}
    return found
