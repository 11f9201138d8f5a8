"""Ids that cannot be: EC2 tells a malformed id from one that does not exist.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {
    "AllocationId": ("eipalloc", "InvalidAllocationID.Malformed"),
    "GroupId": ("sg", "InvalidGroupId.Malformed"),
    "ImageId": ("ami", "InvalidAMIID.Malformed"),
    "InstanceId": ("i", "InvalidInstanceID.Malformed"),
    "NetworkInterfaceId": ("eni", "InvalidNetworkInterfaceID.Malformed"),
    "SnapshotId": ("snap", "InvalidSnapshotID.Malformed"),
    "SourceSnapshotId": ("snap", "InvalidSnapshotID.Malformed"),
    "SpotInstanceRequestId": ("sir", "InvalidSpotInstanceRequestID.Malformed"),
    "SubnetId": ("subnet", "InvalidSubnetID.Malformed"),
    "VolumeId": ("vol", "InvalidVolumeID.Malformed"),
    "VpcId": ("vpc", "InvalidVpcID.Malformed"),
}
"""Parameter, singular: prefix of its ids, and what EC2 answers to another."""


def check_ids(parameters: Mapping[str, Any]) -> None:
    """Every id among the parameters has the form of its kind; EC2ClientError otherwise."""
    for name, (prefix, code) in KINDS.items():
        given = [parameters.get(name), *(parameters.get(f"{name}s") or [])]
        for value in given:
            if isinstance(value, str) and not re.fullmatch(rf"{prefix}-[0-9a-z]{{8,17}}", value):
                raise EC2ClientError(code, f'Invalid id: "{value}" (expecting "{prefix}-...")')
