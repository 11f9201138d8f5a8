"""Volumes that hold a deployment's data: found by tag, claimed, released, deleted.

A part of a live deployment carries both tags; a kept one only that of its data, so that nothing
which searches for leftovers comes across it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from wrapper.aws.machine import tag
from wrapper.aws.model import ARCHITECTURE_TAG, DATA_TAG, DEPLOYMENT_TAG, Volume
from wrapper.aws.words import code_of, is_absent

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef, VolumeTypeDef

    from wrapper.aws.account import Account

ENDING_TAG = "jupyter-clouds:ending"
KEPT_TAG = "jupyter-clouds:kept-at"
UNTOUCHED_TAG = "jupyter-clouds:untouched"
GOING = frozenset({"deleting", "deleted"})
_MINUTES = 10


def volume(account: Account, volume_id: str) -> Volume | None:
    """The volume as it is now; None when EC2 does not know it (any more)."""
    with account.mapped(f"looking up {volume_id}"):
        try:
            found = account.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
    there = [one for one in map(_described, found) if one.state not in GOING]
    return there[0] if there else None


def find(account: Account, name: str) -> list[Volume]:
    """Volumes that hold the deployment's data, live and kept."""
    with account.mapped("looking for data volumes"):
        pages = account.ec2.get_paginator("describe_volumes").paginate(
            Filters=[{"Name": f"tag:{DATA_TAG}", "Values": [name]}]
        )
        found = [_described(one) for page in pages for one in page["Volumes"]]
    return [one for one in found if one.state not in GOING]


def create(
    account: Account, *, zone: str, gib: int, snapshot_id: str | None, tags: dict[str, str]
) -> str:
    """A new encrypted gp3 volume, as data.tf would make it, is on its way; its id."""
    start: dict[str, Any] = {"SnapshotId": snapshot_id} if snapshot_id else {}
    with account.mapped(f"making a volume in {zone}"):
        return account.ec2.create_volume(
            AvailabilityZone=zone,
            Encrypted=True,
            Size=gib,
            TagSpecifications=[{"ResourceType": "volume", "Tags": _tags(tags)}],
            VolumeType="gp3",
            **start,
        )["VolumeId"]


def claim(account: Account, volume_id: str, name: str) -> None:
    """The volume is a part of the deployment, and any `down` of before is forgotten."""
    with account.mapped(f"tagging {volume_id}"):
        account.ec2.create_tags(
            Resources=[volume_id], Tags=_tags({DEPLOYMENT_TAG: name, DATA_TAG: name})
        )
        gone = _keys(KEPT_TAG, ENDING_TAG, UNTOUCHED_TAG)
        account.ec2.delete_tags(Resources=[volume_id], Tags=gone)


def release(account: Account, volume_id: str, name: str) -> None:
    """The volume is kept: the deployment's data, and no part of it any more."""
    with account.mapped(f"tagging {volume_id}"):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        account.ec2.create_tags(Resources=[volume_id], Tags=_tags({DATA_TAG: name, KEPT_TAG: now}))
        account.ec2.delete_tags(Resources=[volume_id], Tags=_keys(DEPLOYMENT_TAG, ENDING_TAG))


def mark_ending(account: Account, volume_id: str, mark: str) -> None:
    """A final snapshot with the same mark shows all that will ever be on the volume.

    Whatever takes the volume into use again takes the mark away: `claim`, and Terraform, which
    sees a tag that is none of its own.
    """
    with account.mapped(f"tagging {volume_id}"):
        account.ec2.create_tags(Resources=[volume_id], Tags=_tags({ENDING_TAG: mark}))


def mark_untouched(account: Account, volume_id: str, *, untouched: bool) -> None:
    """It is marked, or not any more, as one that no machine has ever had.

    As with `mark_ending`, whatever takes it into use takes the mark away, also without us.
    """
    with account.mapped(f"tagging {volume_id}"):
        if untouched:
            account.ec2.create_tags(Resources=[volume_id], Tags=_tags({UNTOUCHED_TAG: "yes"}))
        else:
            account.ec2.delete_tags(Resources=[volume_id], Tags=_keys(UNTOUCHED_TAG))


def wait_until_free(account: Account, volume_id: str) -> None:
    """No machine holds the volume; at once when it is gone. AwsError after 10 minutes."""

    def until() -> bool | None:
        found = volume(account, volume_id)
        return True if found is None or found.state == "available" else None

    account.wait(until, what=f"{volume_id} is still attached", minutes=_MINUTES)


def delete(account: Account, volume_id: str) -> None:
    """The volume is gone, or being deleted; nothing happens when it was gone before."""

    def until() -> bool | None:
        try:
            account.ec2.delete_volume(VolumeId=volume_id)
        except ClientError as error:
            if is_absent(error):
                return True
            if code_of(error) in ("VolumeInUse", "IncorrectState"):
                return None
            raise
        return True

    with account.mapped(f"deleting {volume_id}"):
        account.wait(until, what=f"{volume_id} is still in use", minutes=_MINUTES)


def _described(raw: VolumeTypeDef) -> Volume:
    tags = raw.get("Tags", ())
    attached = [one for one in raw.get("Attachments", ()) if one.get("State") != "detached"]
    return Volume(
        volume_id=raw["VolumeId"],
        gib=raw["Size"],
        state=raw["State"],
        zone=raw["AvailabilityZone"],
        encrypted=raw["Encrypted"],
        created_at=raw["CreateTime"],
        data_of=tag(tags, DATA_TAG),
        deployment=tag(tags, DEPLOYMENT_TAG),
        attached_to=attached[0].get("InstanceId") if attached else None,
        snapshot_id=raw.get("SnapshotId") or None,
        kept_at=_moment(tag(tags, KEPT_TAG)),
        ending=tag(tags, ENDING_TAG),
        untouched=tag(tags, UNTOUCHED_TAG) is not None,
        ends_with_machine=any(one.get("DeleteOnTermination", False) for one in attached),
        architecture=tag(tags, ARCHITECTURE_TAG),
    )


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:  # somebody else's hand
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tags(pairs: dict[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def _keys(*keys: str) -> list[TagTypeDef]:
    return [{"Key": key} for key in keys]
