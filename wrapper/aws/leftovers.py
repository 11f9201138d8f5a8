"""What a deployment left in the account: found by tag and by what spot left untagged; removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws import buckets, machine, market, records, roles
from wrapper.aws.model import DEPLOYMENT_TAG, Leftover
from wrapper.aws.words import code_of, is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_ec2.type_defs import AddressTypeDef, FilterTypeDef, VolumeTypeDef

    from wrapper.aws.account import Account
    from wrapper.aws.model import LeftoverKind

_SECONDS = 300.0


def find(
    account: Account,
    name: str,
    *,
    request_ids: Sequence[str] = (),
    instance_ids: Sequence[str] = (),
) -> list[Leftover]:
    """Everything of the deployment that still exists, in the order to remove it."""
    requests = market.find_spot_requests(account, name, request_ids=request_ids)
    machines = machine.find_any(
        account,
        name,
        request_ids=[*request_ids, *(one.request_id for one in requests)],
        instance_ids=[*instance_ids, *(one.instance_id for one in requests if one.instance_id)],
    )
    # Terminated ones too: a disk or interface may have outlived its machine.
    attached = sorted(one.instance_id for one in machines)
    groups = _groups(account, name)
    own_groups = {one.id for one in groups}
    return [
        *(
            Leftover("request", one.request_id, f"{one.state}, {one.status}")
            for one in requests
            if one.state not in market.OVER
        ),
        *(
            Leftover("instance", one.instance_id, f"{one.instance_type}, {one.state}")
            for one in machines
            if one.state not in market.GONE
        ),
        *_addresses(account, name),
        *_volumes(account, name, attached),
        *_interfaces(account, name, attached),
        # A rule goes with its group: listed is only one in somebody else's.
        *(one for one in _rules(account, name) if one.parent not in own_groups),
        *groups,
        *_key_pairs(account, name),
        *buckets.find(account, name),
        *roles.find(account, name),
    ]


def remove(account: Account, leftover: Leftover, *, seconds: float | None = None) -> None:
    """The thing is gone, or being deleted; nothing happens when it was gone before.

    `seconds`: how long to wait for whatever holds it. AwsError when that does not let go.
    """
    minutes = (_SECONDS if seconds is None else seconds) / 60
    with account.mapped(f"removing the {leftover.kind} {leftover.id}"):
        try:
            if remover := _REMOVERS.get(leftover.kind):
                remover(account, leftover)
            else:
                _delete_when_free(account, leftover, minutes)
        except ClientError as error:
            if not is_absent(error):
                raise


def _tagged(name: str) -> FilterTypeDef:
    return {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [name]}


def _by_tag_and_machine(name: str, attached: Sequence[str]) -> list[FilterTypeDef]:
    filters = [_tagged(name)]
    if attached:
        filters.append({"Name": "attachment.instance-id", "Values": [*attached]})
    return filters


def _once(found: Iterable[Leftover]) -> list[Leftover]:
    return list({one.id: one for one in found}.values())


def find_challenges(account: Account, name: str) -> list[Leftover]:
    """Records by which the deployment's machine proved its domain, and which it has not removed."""
    found = records.find(account, _described_addresses(account, name))
    return [one for one in found if one.kind == "challenge"]


def _described_addresses(account: Account, name: str) -> list[AddressTypeDef]:
    with account.mapped("looking for addresses"):
        return account.ec2.describe_addresses(Filters=[_tagged(name)])["Addresses"]


def _addresses(account: Account, name: str) -> list[Leftover]:
    """And the records that lead there, which nothing else tells of."""
    found = _described_addresses(account, name)
    return [
        *records.find(account, found),
        *(
            Leftover("address", str(one.get("AllocationId")), str(one.get("PublicIp")))
            for one in found
        ),
    ]


def _volumes(account: Account, name: str, attached: Sequence[str]) -> list[Leftover]:
    """By tag, and disks that belong to a machine: somebody else's that is attached to one stays."""
    with account.mapped("looking for volumes"):
        pages = account.ec2.get_paginator("describe_volumes")
        return _once(
            Leftover("volume", one["VolumeId"], f"{one['Size']} GiB, {one['State']}")
            for by in _by_tag_and_machine(name, attached)
            for page in pages.paginate(Filters=[by])
            for one in page["Volumes"]
            if one["State"] not in ("deleting", "deleted")
            and (by["Name"].startswith("tag:") or _goes_with_its_machine(one))
        )


def _goes_with_its_machine(volume: VolumeTypeDef) -> bool:
    return any(one.get("DeleteOnTermination") for one in volume.get("Attachments", ()))


def _interfaces(account: Account, name: str, attached: Sequence[str]) -> list[Leftover]:
    with account.mapped("looking for interfaces"):
        pages = account.ec2.get_paginator("describe_network_interfaces")
        return _once(
            Leftover(
                "interface",
                str(one.get("NetworkInterfaceId")),
                f"{one.get('PrivateIpAddress')}, {one.get('Status')}",
            )
            for by in _by_tag_and_machine(name, attached)
            for page in pages.paginate(Filters=[by])
            for one in page["NetworkInterfaces"]
        )


def _groups(account: Account, name: str) -> list[Leftover]:
    with account.mapped("looking for security groups"):
        pages = account.ec2.get_paginator("describe_security_groups")
        return [
            Leftover("group", str(one.get("GroupId")), str(one.get("GroupName")))
            for page in pages.paginate(Filters=[_tagged(name)])
            for one in page["SecurityGroups"]
        ]


def _rules(account: Account, name: str) -> list[Leftover]:
    with account.mapped("looking for security group rules"):
        pages = account.ec2.get_paginator("describe_security_group_rules")
        return [
            Leftover(
                "rule",
                str(one.get("SecurityGroupRuleId")),
                f"{'egress' if one.get('IsEgress') else 'ingress'} {one.get('IpProtocol')} "
                f"{one.get('FromPort')}-{one.get('ToPort')} in {one.get('GroupId')}",
                parent=one.get("GroupId"),
            )
            for page in pages.paginate(Filters=[_tagged(name)])
            for one in page["SecurityGroupRules"]
        ]


def _key_pairs(account: Account, name: str) -> list[Leftover]:
    with account.mapped("looking for key pairs"):
        found = account.ec2.describe_key_pairs(Filters=[_tagged(name)])["KeyPairs"]
    return [
        Leftover("key-pair", str(one.get("KeyPairId")), str(one.get("KeyName"))) for one in found
    ]


def _remove_request(account: Account, leftover: Leftover) -> None:
    market.cancel(account, [leftover.id])


def _remove_instance(account: Account, leftover: Leftover) -> None:
    market.terminate(account, [leftover.id])


def _remove_address(account: Account, leftover: Leftover) -> None:
    for one in account.ec2.describe_addresses(AllocationIds=[leftover.id])["Addresses"]:
        if association := one.get("AssociationId"):
            account.ec2.disassociate_address(AssociationId=association)
    account.ec2.release_address(AllocationId=leftover.id)


def _free_interface(account: Account, leftover: Leftover) -> None:
    found = account.ec2.describe_network_interfaces(NetworkInterfaceIds=[leftover.id])
    for one in found["NetworkInterfaces"]:
        attachment = one.get("Attachment", {})
        # The first interface of a machine goes with it and cannot be detached.
        if attachment.get("AttachmentId") and attachment.get("DeviceIndex", 0) > 0:
            account.ec2.detach_network_interface(
                AttachmentId=attachment["AttachmentId"], Force=True
            )


def _remove_rule(account: Account, leftover: Leftover) -> None:
    group = str(leftover.parent)
    if leftover.detail.startswith("egress"):
        account.ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[leftover.id])
    else:
        account.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[leftover.id])


def _remove_key_pair(account: Account, leftover: Leftover) -> None:
    # By name, which is as unique as the id: moto takes no id.
    account.ec2.delete_key_pair(KeyName=leftover.detail)


def _delete(account: Account, leftover: Leftover) -> None:
    if leftover.kind == "volume":
        account.ec2.delete_volume(VolumeId=leftover.id)
    elif leftover.kind == "interface":
        account.ec2.delete_network_interface(NetworkInterfaceId=leftover.id)
    else:
        account.ec2.delete_security_group(GroupId=leftover.id)


def _delete_when_free(account: Account, leftover: Leftover, minutes: float) -> None:
    """Deleted once nothing holds it: EC2 lets go of a terminated machine's things bit by bit."""
    holding = (
        "DependencyViolation",
        "VolumeInUse",
        "InvalidNetworkInterface.InUse",
        "InvalidParameterValue",
        "IncorrectState",
    )
    if leftover.kind == "interface":
        _free_interface(account, leftover)

    def until() -> bool | None:
        try:
            _delete(account, leftover)
        except ClientError as error:
            if code_of(error) in holding:
                return None
            raise
        return True

    account.wait(until, what=f"the {leftover.kind} {leftover.id} is still in use", minutes=minutes)


_REMOVERS: dict[LeftoverKind, Callable[[Account, Leftover], None]] = {
    "request": _remove_request,
    "instance": _remove_instance,
    "address": _remove_address,
    "rule": _remove_rule,
    "key-pair": _remove_key_pair,
    "bucket": buckets.remove,
    "challenge": records.remove,
    "record": records.remove,
    "role": roles.remove,
}
"""What nothing can hold; all else waits."""
