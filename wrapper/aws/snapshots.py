"""Snapshots of data: taken, waited for however long that takes, found by tag, copied, deleted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws.machine import tag
from wrapper.aws.model import ARCHITECTURE_TAG, DATA_TAG, Snapshot
from wrapper.aws.volumes import ENDING_TAG
from wrapper.aws.words import code_of, is_absent
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ec2.type_defs import (
        SnapshotResponseTypeDef,
        SnapshotTypeDef,
        TagSpecificationTypeDef,
    )

    from wrapper.aws.account import Account
    from wrapper.aws.model import SnapshotKind, Volume

KIND_TAG = "jupyter-clouds:kind"
SIZE_TAG = "jupyter-clouds:gib"
COPY_TAG = "jupyter-clouds:copy-of"
_LOOKS = 20
"""A new snapshot may not be shown at once: describing is eventually consistent.
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"""


def snapshot(account: Account, snapshot_id: str) -> Snapshot | None:
    """The snapshot as it is now; None when EC2 does not know it (any more)."""
    with account.mapped(f"looking up {snapshot_id}"):
        try:
            found = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
    return _described(found[0]) if found else None


def find(account: Account, name: str) -> list[Snapshot]:
    """Snapshots of the deployment's data, the newest first."""
    with account.mapped("looking for snapshots"):
        pages = account.ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=[{"Name": f"tag:{DATA_TAG}", "Values": [name]}]
        )
        found = [_described(one) for page in pages for one in page["Snapshots"]]
    return sorted(found, key=lambda one: one.started_at, reverse=True)


def create(
    account: Account, volume: Volume, name: str, kind: SnapshotKind, *, ending: str | None = None
) -> Snapshot:
    """A snapshot of the volume has begun; it shows the volume as it was at this moment."""
    marks = {ENDING_TAG: ending} if ending else {}
    with account.mapped(f"taking a snapshot of {volume.volume_id}"):
        made = account.ec2.create_snapshot(
            VolumeId=volume.volume_id,
            Description=f"jupyter-clouds: {kind} snapshot of {name}",
            TagSpecifications=[_tagged(name, kind, volume, marks)],
        )
    return _described(made)


def copy(account: Account, source: Snapshot, from_region: str, name: str) -> str:
    """Id of a copy, in this region, of another region's snapshot; encrypted, still pending."""
    with account.mapped(f"copying {source.snapshot_id} from {from_region}"):
        return account.ec2.copy_snapshot(
            SourceRegion=from_region,
            SourceSnapshotId=source.snapshot_id,
            Description=f"jupyter-clouds: {source.snapshot_id} of {from_region}",
            Encrypted=True,
            TagSpecifications=[_tagged(name, "manual", source, {COPY_TAG: source.snapshot_id})],
        )["SnapshotId"]


def wait_for(account: Account, snapshot_id: str, progress: Callable[[int], None]) -> Snapshot:
    """The snapshot, completed; AwsError when it fails. Hours are not too long for a large one."""
    unseen = 0

    def until() -> Snapshot | None:
        nonlocal unseen
        found = snapshot(account, snapshot_id)
        if found is None:
            unseen += 1
            if unseen > _LOOKS:
                raise AwsError(
                    f"{account.region} has no snapshot {snapshot_id} (any more).",
                    hint="See what there is: python -m wrapper snapshots",
                )
            return None
        progress(found.percent)
        if found.state == "error":
            raise AwsError(
                f"The snapshot {snapshot_id} of {found.volume_id} failed"
                f"{f': {found.message}' if found.message else ''}.",
                hint="Again: python -m wrapper snapshot",
            )
        return found if found.state == "completed" else None

    return account.wait(until, what=f"{snapshot_id} not yet completed", minutes=math.inf)


def delete(account: Account, snapshot_id: str) -> None:
    """The snapshot is gone; nothing happens when it was gone before. AwsError: in use."""
    with account.mapped(f"deleting {snapshot_id}"):
        try:
            account.ec2.delete_snapshot(SnapshotId=snapshot_id)
        except ClientError as error:
            if code_of(error) == "InvalidSnapshot.InUse":
                raise AwsError(
                    f"{snapshot_id} is a part of an image and stays.",
                    hint=f"aws ec2 describe-images --owners self --region {account.region}",
                ) from error
            if not is_absent(error):
                raise


def _tagged(
    name: str, kind: SnapshotKind, of: Volume | Snapshot, more: dict[str, str]
) -> TagSpecificationTypeDef:
    pairs = {
        "Name": f"jupyter-clouds-{name}",
        DATA_TAG: name,
        KIND_TAG: kind,
        SIZE_TAG: str(of.gib),
        **({ARCHITECTURE_TAG: of.architecture} if of.architecture else {}),
        **more,
    }
    return {
        "ResourceType": "snapshot",
        "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
    }


def _described(raw: SnapshotTypeDef | SnapshotResponseTypeDef) -> Snapshot:
    tags = raw.get("Tags", ())
    percent = raw.get("Progress", "").removesuffix("%")
    return Snapshot(
        snapshot_id=raw["SnapshotId"],
        volume_id=raw["VolumeId"],
        gib=raw["VolumeSize"],
        state=raw["State"],
        percent=int(percent) if percent.isdecimal() else 0,
        message=raw.get("StateMessage", ""),
        encrypted=raw["Encrypted"],
        started_at=raw["StartTime"],
        data_of=tag(tags, DATA_TAG),
        kind=tag(tags, KIND_TAG),
        ending=tag(tags, ENDING_TAG),
        copy_of=tag(tags, COPY_TAG),
        architecture=tag(tags, ARCHITECTURE_TAG),
    )
