"""Reading requests about images, and writing the answers, where moto does otherwise than EC2."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from wrapper.local.api.own_images import OwnImage, tags_by_kind
from wrapper.local.api.storage import StorageActions


class ImageActions(StorageActions):
    """The actions of EC2 on images."""

    def create_image(self) -> ActionResult:
        tags = tags_by_kind(self._get_param("TagSpecifications", []))
        mappings: list[dict[str, Any]] = self._get_param("BlockDeviceMappings", [])
        self.error_on_dryrun()
        image = self.ec2_backend.make_image(
            self._get_param("InstanceId"),
            self._get_param("Name"),
            self._get_param("Description") or "",
            reboot=not self._get_bool_param("NoReboot", False),
            without={one["DeviceName"] for one in mappings if one.get("NoDevice") == ""},
        )
        image.add_tags(tags["image"])
        image.ebs_snapshot.add_tags(tags["snapshot"])
        return ActionResult({"ImageId": image.id})

    def deregister_image(self) -> ActionResult:
        self.error_on_dryrun()
        gone = self.ec2_backend.deregister(
            self._get_param("ImageId"),
            with_snapshots=bool(self._get_bool_param("DeleteAssociatedSnapshots", False)),
        )
        return ActionResult({"Return": True, "DeleteSnapshotResults": gone})

    def modify_image_attribute(self) -> ActionResult:
        support = self._get_param("ImdsSupport", {}).get("Value")
        if support is None:
            return super().modify_image_attribute()
        self.error_on_dryrun()
        (image,) = self.ec2_backend.describe_images(ami_ids=[self._get_param("ImageId")])
        if isinstance(image, OwnImage):
            image.imds_support = support
        return EmptyResult()
