"""What machines ask of Route 53: a record changed, and whether the change is in force.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonroute53.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.parsers.expat import ExpatError

import xmltodict

from .api.buckets import RefusedError
from .credentials import Call

if TYPE_CHECKING:
    from .credentials import Signed

_ZONE: Final = re.compile(r"/2013-04-01/hostedzone/([0-9A-Z]+)/rrset/?")
_CHANGE: Final = re.compile(r"/2013-04-01/change/([0-9A-Za-z]+)")
_PLAIN: Final = {"aws:securetransport": "false"}


def calls(signed: Signed, body: bytes) -> list[Call]:
    """What a request asks for. RefusedError: it is none that is known here."""
    if signed.method == "GET" and (change := _CHANGE.fullmatch(signed.path)):
        return [Call("route53:GetChange", f"arn:aws:route53:::change/{change[1]}", _PLAIN)]
    if signed.method == "POST" and (zone := _ZONE.fullmatch(signed.path)):
        resource = f"arn:aws:route53:::hostedzone/{zone[1]}"
        return [Call("route53:ChangeResourceRecordSets", resource, {**_PLAIN, **_changes(body)})]
    raise RefusedError(f"the embedded Route 53 knows no {signed.method} {signed.path} for machines")


def _changes(body: bytes) -> dict[str, tuple[str, ...]]:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html"""
    try:
        read = xmltodict.parse(body, force_list=("Change",))
        changes = read["ChangeResourceRecordSetsRequest"]["ChangeBatch"]["Changes"]["Change"]
        sets = [one["ResourceRecordSet"] for one in changes]
        found = {
            "actions": tuple(str(one["Action"]) for one in changes),
            "normalizedrecordnames": tuple(str(one["Name"]).lower().rstrip(".") for one in sets),
            "recordtypes": tuple(str(one["Type"]) for one in sets),
        }
    except (ExpatError, KeyError, TypeError) as error:
        raise RefusedError("no batch of changes") from error
    return {f"route53:changeresourcerecordsets{name}": values for name, values in found.items()}
