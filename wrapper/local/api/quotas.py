"""The Service Quotas' API, as far as vCPUs go.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wrapper.local.api.json_service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.local.api.capacity import Market
    from wrapper.local.api.json_service import Operation
    from wrapper.local.api.room import Room

CODES: Final[Mapping[str, tuple[Market, str]]] = {
    "L-1216C47A": ("on-demand", "standard"),
    "L-DB2E81BA": ("on-demand", "g-and-vt"),
    "L-417A185B": ("on-demand", "p"),
    "L-7295265B": ("on-demand", "x"),
    "L-34B43A08": ("spot", "standard"),
    "L-3819A6DF": ("spot", "g-and-vt"),
    "L-7212CCBC": ("spot", "p"),
    "L-E3A00192": ("spot", "x"),
}
UNLIMITED: Final = 5000
"""vCPUs, where the owner has set no limit."""


def operations(room: Room) -> dict[str, Operation]:
    """By name."""

    def get(asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        code = asked.get("QuotaCode", "")
        if asked.get("ServiceCode") != "ec2" or code not in CODES:
            raise ServiceError("NoSuchResourceException", f"no quota {code} here")
        market, family = CODES[code]
        return {
            "Quota": {
                "ServiceCode": "ec2",
                "QuotaCode": code,
                "QuotaName": f"{market} {family}",
                "QuotaArn": f"arn:aws:servicequotas:{region}::ec2/{code}",
                "Adjustable": True,
                "Value": float(room.capacity.quotas.get((market, family), UNLIMITED)),
            }
        }

    return {"GetServiceQuota": get}
