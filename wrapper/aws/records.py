"""Records of a deployment's domain in Route 53: they have no tags, its address tells of them.

The one that leads to it is Terraform's. The one that proves it to an authority is the machine's,
and stays where the machine ends between writing and removing it.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from wrapper.aws.machine import tag
from wrapper.aws.model import Leftover, LeftoverKind
from wrapper.aws.words import code_of
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_ec2.type_defs import AddressTypeDef

    from wrapper.aws.account import Account

_TAGS: dict[LeftoverKind, str] = {
    "challenge": "jupyter-clouds:challenge",
    "record": "jupyter-clouds:record",
}
"""Of an address: ZONE/NAME."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def find(account: Account, addresses: Sequence[AddressTypeDef]) -> Iterator[Leftover]:
    """Records that lead to one of the addresses, or proved whose its name is.

    Of the former, what may not be looked up counts as one.
    """
    for one in addresses:
        for kind, key in _TAGS.items():
            zone, _, name = (tag(one.get("Tags", ()), key) or "").partition("/")
            if name and (found := _found(account, kind, zone, name, str(one.get("PublicIp")))):
                yield found


def _found(
    account: Account, kind: LeftoverKind, zone: str, name: str, address: str
) -> Leftover | None:
    found = Leftover(kind, name, address, parent=zone)
    with account.mapped(f"looking for the record {name}"):
        try:
            return found if _look(account, found) else None
        except ClientError as error:
            if code_of(error) in _DENIED:
                return found if kind == "record" else None
            if code_of(error) != "NoSuchHostedZone":
                raise
            return None


def remove(account: Account, leftover: Leftover) -> None:
    """The record is gone; another one of its name stays. ClientError, AwsError: denied."""
    try:
        if found := _look(account, leftover):
            account.route53.change_resource_record_sets(
                HostedZoneId=leftover.parent,
                ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": found}]},
            )
    except ClientError as error:
        if code_of(error) not in _DENIED:
            raise
        leads = leftover.kind == "record"
        still = f"still leads to {leftover.detail}" if leads else "is still there"
        raise AwsError(
            f"{leftover.id} {still}, and these credentials may not change the zone "
            f"{leftover.parent}.",
            hint="Who may: https://console.aws.amazon.com/route53/v2/hostedzones"
            f"#ListRecordSets/{leftover.parent}",
        ) from error


def _look(account: Account, leftover: Leftover) -> dict[str, Any] | None:
    leads = leftover.kind == "record"
    kind = "A" if leads else "TXT"
    sets = account.route53.list_resource_record_sets(
        HostedZoneId=leftover.parent,
        StartRecordName=leftover.id,
        StartRecordType=kind,
        MaxItems="1",
    )["ResourceRecordSets"]
    for one in sets:
        values = [record["Value"] for record in one.get("ResourceRecords", ())]
        same = one["Name"].rstrip(".").lower() == leftover.id.rstrip(".").lower()
        if same and one["Type"] == kind and (not leads or values == [leftover.detail]):
            found: dict[str, Any] = one
            return found
    return None
