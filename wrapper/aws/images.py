"""Images made of machines: their root disks alone, found by tag, removed with their snapshots.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws import snapshots
from wrapper.aws.machine import tag
from wrapper.aws.model import IMAGE_TAG, Image
from wrapper.aws.words import is_absent
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_ec2.type_defs import ImageTypeDef, TagTypeDef

    from wrapper.aws.account import Account

_LOOKS = 20
"""A new image may not be shown at once: describing is eventually consistent.
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"""


def create(  # noqa: PLR0913 (as the API's)
    account: Account,
    instance_id: str,
    deployment: str,
    tags: Mapping[str, str],
    *,
    name: str,
    reboot: bool,
) -> str:
    """Id of an image of the machine's root disk, which has begun to be made.

    The machine is left alone, unless it is to be rebooted for files at rest.
    """
    told = {"Name": name, IMAGE_TAG: deployment, **tags}
    pairs: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in told.items()]
    with account.mapped(f"making an image of {instance_id}"):
        found = account.ec2.describe_instances(InstanceIds=[instance_id])
        machine = found["Reservations"][0]["Instances"][0]
        others = [
            one["DeviceName"]
            for one in machine["BlockDeviceMappings"]
            if one["DeviceName"] != machine["RootDeviceName"]
        ]
        return account.ec2.create_image(
            InstanceId=instance_id,
            Name=name,
            Description=f"jupyter-clouds: {deployment}",
            NoReboot=not reboot,
            BlockDeviceMappings=[{"DeviceName": one, "NoDevice": ""} for one in others],
            TagSpecifications=[
                {"ResourceType": "image", "Tags": pairs},
                {"ResourceType": "snapshot", "Tags": pairs},
            ],
        )["ImageId"]


def base(account: Account, instance_id: str) -> str:
    """Name of the image that the machine began with; its id where that has gone."""
    with account.mapped(f"looking up the image of {instance_id}"):
        found = account.ec2.describe_instances(InstanceIds=[instance_id])
        image_id = found["Reservations"][0]["Instances"][0]["ImageId"]
        try:
            images = account.ec2.describe_images(ImageIds=[image_id])["Images"]
        except ClientError as error:
            if not is_absent(error):
                raise
            images = []
    return images[0].get("Name", image_id) if images else image_id


def image(account: Account, image_id: str) -> Image | None:
    """The image as it is now; None when EC2 does not know it (any more)."""
    with account.mapped(f"looking up {image_id}"):
        try:
            found = account.ec2.describe_images(ImageIds=[image_id])["Images"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
    return _described(found[0]) if found else None


def find(account: Account, name: str | None = None) -> list[Image]:
    """Images of the deployment, or of all, the newest first."""
    which = (
        {"Name": f"tag:{IMAGE_TAG}", "Values": [name]}
        if name
        else {"Name": "tag-key", "Values": [IMAGE_TAG]}
    )
    with account.mapped("looking for images"):
        pages = account.ec2.get_paginator("describe_images").paginate(
            Owners=["self"],
            Filters=[which],  # type: ignore[list-item] # both are such
        )
        found = [_described(one) for page in pages for one in page["Images"]]
    # EC2 tells the second; names of ours tell more.
    return sorted(found, key=lambda one: (one.made_at, one.name), reverse=True)


def wait_for(account: Account, image_id: str, progress: Callable[[int], None]) -> Image:
    """The image, with which machines can begin; AwsError when it fails. An hour is not too long."""
    unseen = 0

    def until() -> Image | None:
        nonlocal unseen
        found = image(account, image_id)
        if found is None:
            unseen += 1
            if unseen > _LOOKS:
                raise AwsError(
                    f"{account.region} has no image {image_id} (any more).",
                    hint="See what there is: python -m wrapper images",
                )
            return None
        for one in found.snapshot_ids:
            if copied := snapshots.snapshot(account, one):
                progress(copied.percent)
        if found.state not in ("pending", "available"):
            why = f": {found.message}" if found.message else ""
            raise AwsError(
                f"The image {image_id} is {found.state}{why}.",
                hint="Again: python -m wrapper bake",
            )
        return found if found.state == "available" else None

    return account.wait(until, what=f"{image_id} not yet available", minutes=math.inf)


def require_imdsv2(account: Account, image_id: str) -> None:
    """The metadata of machines of this image answers only with a token. Cannot be taken back.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html
    """
    with account.mapped(f"setting up {image_id}"):
        account.ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"})


def delete(account: Account, gone: Image) -> None:
    """No machine can begin with it any more, and its snapshots are gone; those that live go on."""
    with account.mapped(f"removing {gone.image_id}"):
        try:
            account.ec2.deregister_image(ImageId=gone.image_id)
        except ClientError as error:
            if not is_absent(error):
                raise
    for one in gone.snapshot_ids:
        snapshots.delete(account, one)


def _described(raw: ImageTypeDef) -> Image:
    disks = [one["Ebs"] for one in raw.get("BlockDeviceMappings", ()) if "Ebs" in one]
    tags = raw.get("Tags", ())
    made = str(raw.get("CreationDate"))
    return Image(
        image_id=str(raw.get("ImageId")),
        name=str(raw.get("Name", "")),
        image_of=tag(tags, IMAGE_TAG) or "",
        state=str(raw.get("State")),
        message=raw.get("StateReason", {}).get("Message", ""),
        architecture=str(raw.get("Architecture")),
        gib=sum(one.get("VolumeSize", 0) for one in disks),
        made_at=datetime.fromisoformat(made),
        snapshot_ids=tuple(str(one["SnapshotId"]) for one in disks if "SnapshotId" in one),
        tags={str(one.get("Key")): str(one.get("Value")) for one in tags},
    )
