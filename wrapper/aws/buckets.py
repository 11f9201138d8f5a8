"""The bucket that a deployment's machine fetches programs from: found by name and tag, removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws.model import DEPLOYMENT_TAG, Leftover
from wrapper.aws.words import code_of, is_absent
from wrapper.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.aws.account import Account


def find(account: Account, name: str) -> list[Leftover]:
    """The deployment's buckets in the region.

    None for who may not list buckets: with services_url, no right on S3 is needed.
    """
    with account.mapped("looking for buckets"):
        try:
            return [
                Leftover("bucket", one, "programs of the machine") for one in _ours(account, name)
            ]
        except ClientError as error:
            if code_of(error) != "AccessDenied":
                raise
            return []


def check(account: Account, place: str) -> str | None:
    """The bucket of NAME/PREFIX is there, as far as these credentials see. RequestError: it is not.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    bucket = place.partition("/")[0]
    with account.mapped(f"looking up the bucket {bucket}"):
        try:
            account.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket"):
                raise RequestError(
                    f"There is no bucket {bucket}.",
                    hint=f"Yours: aws s3 ls. Make it: aws s3 mb s3://{bucket}",
                ) from error
            if code_of(error) not in ("403", "AccessDenied"):
                raise
            return (
                f"You may not look into the bucket {bucket}, or somebody else has it: the machine "
                "may find that it cannot either."
            )
    return None


def names(account: Account) -> set[str]:
    """The deployments that have a bucket in the region. ClientError."""
    pages = account.s3.get_paginator("list_buckets")
    return {
        name
        for page in pages.paginate(Prefix="jupyter-clouds-", BucketRegion=account.region)
        for bucket in page["Buckets"]
        if (tags := _tags(account, str(bucket.get("Name")))) and (name := tags.get(DEPLOYMENT_TAG))
    }


def _ours(account: Account, name: str) -> Iterator[str]:
    pages = account.s3.get_paginator("list_buckets")
    # The beginning alone is not enough: notebook is also that of notebook-two. And one may have no
    # tags: S3 takes them in a call of their own, before which Terraform may have been interrupted.
    ours = re.compile(rf"jupyter-clouds-{re.escape(name)}-[0-9a-f]{{12}}")
    for page in pages.paginate(Prefix=f"jupyter-clouds-{name}-", BucketRegion=account.region):
        for bucket in page["Buckets"]:
            found = str(bucket.get("Name"))
            tags = _tags(account, found)
            untagged = tags is not None and not tags
            if (tags and tags.get(DEPLOYMENT_TAG) == name) or (untagged and ours.fullmatch(found)):
                yield found


def _tags(account: Account, bucket: str) -> dict[str, str] | None:
    """None for a bucket that has gone meanwhile."""
    try:
        found = account.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if code_of(error) == "NoSuchTagSet":
            return {}
        if is_absent(error):
            return None
        raise
    return {one["Key"]: one["Value"] for one in found}


def remove(account: Account, leftover: Leftover) -> None:
    """The bucket is gone, with all that is in it. ClientError."""
    pages = account.s3.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=leftover.id):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            account.s3.delete_object(Bucket=leftover.id, Key=one["Key"], VersionId=one["VersionId"])
    account.s3.delete_bucket(Bucket=leftover.id)
