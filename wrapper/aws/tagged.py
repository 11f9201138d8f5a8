"""Which deployments an account holds anything of, whoever made them: found by tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws import buckets, roles
from wrapper.aws.model import DATA_TAG, DEPLOYMENT_TAG, IMAGE_TAG
from wrapper.aws.words import code_of

if TYPE_CHECKING:
    from wrapper.aws.account import Account


def regions(account: Account) -> list[str]:
    """The regions that the account can use, sorted.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    with account.mapped("asking which regions there are"):
        found = account.ec2.describe_regions()["Regions"]
    return sorted(str(one.get("RegionName")) for one in found)


def names(account: Account) -> list[str]:
    """Every name that something in the region is tagged with, sorted; kept data and images too."""
    with account.mapped("looking for tags"):
        pages = account.ec2.get_paginator("describe_tags").paginate(
            Filters=[{"Name": "key", "Values": [DEPLOYMENT_TAG, DATA_TAG, IMAGE_TAG]}]
        )
        found = {str(one.get("Value")) for page in pages for one in page["Tags"]}
        try:
            found |= buckets.names(account)
        except ClientError as error:
            if code_of(error) != "AccessDenied":  # who has no right on S3 has made none
                raise
        found |= roles.names(account)
    return sorted(found - {""})
