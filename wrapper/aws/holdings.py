"""What deployments of a region pay for while nothing runs: disks, snapshots, addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws.machine import tag
from wrapper.aws.model import DATA_TAG, DEPLOYMENT_TAG, IMAGE_TAG, Holding
from wrapper.aws.volumes import GOING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_ec2.type_defs import FilterTypeDef, VolumeTypeDef

    from wrapper.aws.account import Account


def find(account: Account, machines: Mapping[str, str | None]) -> list[Holding]:
    """By name of the deployment, with the id of its machine: spot leaves root disks untagged."""
    names = sorted(machines)
    if not names:
        return []
    by_machine = {machine: name for name, machine in machines.items() if machine}
    with account.mapped("looking for what costs"):
        return [
            *_volumes(account, names, by_machine),
            *_snapshots(account, names),
            *_addresses(account, names),
        ]


def _volumes(account: Account, names: list[str], by_machine: dict[str, str]) -> Iterator[Holding]:
    filters: list[FilterTypeDef] = [
        {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": names},
        {"Name": f"tag:{DATA_TAG}", "Values": names},
    ]
    if by_machine:
        filters.append({"Name": "attachment.instance-id", "Values": sorted(by_machine)})
    pages = account.ec2.get_paginator("describe_volumes")
    seen: set[str] = set()
    for one in (
        one for by in filters for page in pages.paginate(Filters=[by]) for one in page["Volumes"]
    ):
        name = _owner(one, by_machine)
        if one["VolumeId"] in seen or one["State"] in GOING or name not in names:
            continue
        seen.add(one["VolumeId"])
        yield Holding("volume", one["VolumeId"], name, one["Size"], one["CreateTime"])


def _owner(one: VolumeTypeDef, by_machine: dict[str, str]) -> str:
    tags = one.get("Tags", ())
    if named := tag(tags, DEPLOYMENT_TAG) or tag(tags, DATA_TAG):
        return named
    # Somebody else's disk that is attached to the machine stays when the machine goes.
    attached = [two for two in one.get("Attachments", ()) if two.get("DeleteOnTermination")]
    return next((by_machine.get(str(two.get("InstanceId")), "") for two in attached), "")


def _snapshots(account: Account, names: list[str]) -> Iterator[Holding]:
    pages = account.ec2.get_paginator("describe_snapshots")
    for of in (DATA_TAG, IMAGE_TAG):
        by: list[FilterTypeDef] = [{"Name": f"tag:{of}", "Values": names}]
        found = pages.paginate(OwnerIds=["self"], Filters=by)
        for one in (one for page in found for one in page["Snapshots"]):
            if one["State"] == "error":
                continue
            name = tag(one.get("Tags", ()), of) or ""
            yield Holding("snapshot", one["SnapshotId"], name, one["VolumeSize"], one["StartTime"])


def _addresses(account: Account, names: list[str]) -> Iterator[Holding]:
    found = account.ec2.describe_addresses(
        Filters=[{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": names}]
    )["Addresses"]
    for one in found:
        name = tag(one.get("Tags", ()), DEPLOYMENT_TAG) or ""
        # EC2 does not tell since when an address is held.
        yield Holding("address", str(one.get("AllocationId")), name, 0, None)
