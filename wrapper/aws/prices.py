"""Prices by the hour: spot's, now and before, and the Price List's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wrapper.aws.model import SpotPrice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wrapper.aws.account import Account

_LONGEST = 1024
"""Characters of a filter of the Price List."""


def spot_prices(account: Account, types: Sequence[str]) -> list[SpotPrice]:
    """What holds now, by type and zone."""
    now = datetime.now(UTC)
    # With both at now, EC2 gives the price that holds now and no history.
    found = _history(account, types, now, now)
    newest: dict[tuple[str, str], SpotPrice] = {}
    for one in found:
        if (held := newest.get((one.instance_type, one.zone))) is None or held.since < one.since:
            newest[one.instance_type, one.zone] = one
    return list(newest.values())


def spot_history(
    account: Account, types: Sequence[str], days: float, zone: str | None = None
) -> list[SpotPrice]:
    """Every change of so many days, oldest first, begun with the price at their beginning."""
    now = datetime.now(UTC)
    found = _history(account, types, now - timedelta(days=days), now, zone)
    return sorted(found, key=lambda one: (one.instance_type, one.zone, one.since))


def on_demand(
    account: Account, types: Iterable[str], regions: Sequence[str]
) -> dict[tuple[str, str], Decimal]:
    """US dollars an hour by type and region; what the Price List lacks is left out.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
    """
    always = {
        "capacitystatus": "Used",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
    }
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": always[key]} for key in always]
    where = {"Type": "ANY_OF", "Field": "regionCode", "Value": ",".join(regions)}
    found: dict[tuple[str, str], Decimal] = {}
    with account.mapped("asking for on-demand prices"):
        for some in _joined(types):
            which = {"Type": "ANY_OF", "Field": "instanceType", "Value": some}
            pages = account.pricing.get_paginator("get_products").paginate(
                ServiceCode="AmazonEC2", Filters=[*filters, where, which]
            )
            for product in (json.loads(text) for page in pages for text in page["PriceList"]):
                attributes = product["product"]["attributes"]
                if price := _hourly(product):
                    found[attributes["instanceType"], attributes["regionCode"]] = price
    return found


def _history(
    account: Account,
    types: Sequence[str],
    start: datetime,
    end: datetime,
    zone: str | None = None,
) -> list[SpotPrice]:
    where: Any = {"AvailabilityZone": zone} if zone else {}
    with account.mapped("asking for spot prices"):
        pages = account.ec2.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=[*types],  # type: ignore[list-item] # newer ones than the stub's
            ProductDescriptions=["Linux/UNIX"],
            StartTime=start,
            EndTime=end,
            **where,
        )
        return [
            SpotPrice(
                instance_type=str(one["InstanceType"]),
                zone=str(one["AvailabilityZone"]),
                dollars=Decimal(one["SpotPrice"]),
                since=one["Timestamp"],
            )
            for page in pages
            for one in page["SpotPriceHistory"]
        ]


def _joined(names: Iterable[str]) -> Iterator[str]:
    """With commas, as many as a filter takes."""
    held = ""
    for name in sorted(set(names)):
        if held and len(held) + 1 + len(name) > _LONGEST:
            yield held
            held = ""
        held = f"{held},{name}" if held else name
    if held:
        yield held


def _hourly(product: Any) -> Decimal | None:
    """None for what is not sold by the hour."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            dollars = Decimal(dimension["pricePerUnit"].get("USD", "0"))
            if dimension["unit"] == "Hrs" and dollars:
                return dollars
    return None
