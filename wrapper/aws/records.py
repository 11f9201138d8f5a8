"""The record of a deployment's domain in Route 53: it has no tags, and its address tells of it.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from wrapper.aws.machine import tag
from wrapper.aws.model import Leftover
from wrapper.aws.words import code_of
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_ec2.type_defs import AddressTypeDef

    from wrapper.aws.account import Account

_TAG = "jupyter-clouds:record"
"""Of an address: ZONE/NAME."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def find(account: Account, addresses: Sequence[AddressTypeDef]) -> Iterator[Leftover]:
    """Records that lead to one of the addresses; what may not be looked up counts as one."""
    for one in addresses:
        zone, _, name = (tag(one.get("Tags", ()), _TAG) or "").partition("/")
        if not name:
            continue
        address = str(one.get("PublicIp"))
        found = Leftover("record", name, address, parent=zone)
        with account.mapped(f"looking for the record of {name}"):
            try:
                if _look(account, found):
                    yield found
            except ClientError as error:
                if code_of(error) in _DENIED:
                    yield found
                elif code_of(error) != "NoSuchHostedZone":
                    raise


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
        raise AwsError(
            f"{leftover.id} still leads to {leftover.detail}, and these credentials may not "
            f"change the zone {leftover.parent}.",
            hint="Who may: https://console.aws.amazon.com/route53/v2/hostedzones"
            f"#ListRecordSets/{leftover.parent}",
        ) from error


def _look(account: Account, leftover: Leftover) -> dict[str, Any] | None:
    sets = account.route53.list_resource_record_sets(
        HostedZoneId=leftover.parent,
        StartRecordName=leftover.id,
        StartRecordType="A",
        MaxItems="1",
    )["ResourceRecordSets"]
    for one in sets:
        values = [record["Value"] for record in one.get("ResourceRecords", ())]
        same = one["Name"].rstrip(".").lower() == leftover.id.rstrip(".").lower()
        if same and one["Type"] == "A" and values == [leftover.detail]:
            found: dict[str, Any] = one
            return found
    return None
