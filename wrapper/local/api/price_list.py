"""The Price List's API, as far as the hours of Linux machines go.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from wrapper.local.api.fitting import offered
from wrapper.local.api.json_service import ServiceError
from wrapper.local.api.prices import on_demand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wrapper.local.api.json_service import Operation

PAGE: Final = 100
KINDS: Final[Mapping[str, Callable[[str], Callable[[str], bool]]]] = {
    "TERM_MATCH": lambda wanted: lambda value: value == wanted,
    "EQUALS": lambda wanted: lambda value: value == wanted,
    "CONTAINS": lambda wanted: lambda value: wanted in value,
    "ANY_OF": lambda wanted: frozenset(wanted.split(",")).__contains__,
    "NONE_OF": lambda wanted: lambda value: value not in wanted.split(","),
}
"""What each asks of an attribute."""
ALWAYS: Final = {
    "capacitystatus": "Used",
    "licenseModel": "No License required",
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "servicecode": "AmazonEC2",
    "tenancy": "Shared",
}
LONGEST: Final = 1024
"""Characters of a filter's value."""


def operations() -> dict[str, Operation]:
    """By name."""
    return {"GetProducts": _get_products}


def _get_products(asked: Mapping[str, Any], region: str) -> dict[str, Any]:
    del region  # one of three that tell the prices of all
    if asked.get("ServiceCode") != "AmazonEC2":
        raise ServiceError("NotFoundException", "The embedded EC2 has prices of EC2 alone.")
    filters = [(one["Field"], one["Type"], one["Value"]) for one in asked.get("Filters", ())]
    for _, kind, value in filters:
        if kind not in KINDS or len(value) > LONGEST:
            raise ServiceError("InvalidParameterException", f"filter of {kind}: {value[:80]}")
    found = _matching([(field, KINDS[kind](value)) for field, kind, value in filters])
    first, count = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or PAGE)
    more = {"NextToken": str(first + count)} if len(found) > first + count else {}
    page = [json.dumps(_priced(one)) for one in found[first : first + count]]
    return {"FormatVersion": "aws_v1", "PriceList": page, **more}


def _matching(asked: Sequence[tuple[str, Callable[[str], bool]]]) -> list[dict[str, str]]:
    """Attributes of what has all that is asked for, each type in each region that has it.

    Type and region decide most: the rest is written out only of what they leave of tens of
    thousands, a second's work.
    """
    of_types = [fits for field, fits in asked if field == "instanceType"]
    of_regions = [fits for field, fits in asked if field == "regionCode"]
    return [
        product
        for region in INSTANCE_TYPE_OFFERINGS["region"]
        if all(fits(region) for fits in of_regions)
        for name in offered(region)
        if all(fits(name) for fits in of_types)
        and (product := _product(name, region))
        and all(field in product and fits(product[field]) for field, fits in asked)
    ]


def _product(name: str, region: str) -> dict[str, str]:
    facts = INSTANCE_TYPES[name]
    return ALWAYS | {
        "instanceType": name,
        "memory": f"{facts['MemoryInfo']['SizeInMiB'] / 1024:g} GiB",
        "regionCode": region,
        "vcpu": str(facts["VCpuInfo"]["DefaultVCpus"]),
    }


def _priced(attributes: Mapping[str, str]) -> dict[str, Any]:
    name, region = attributes["instanceType"], attributes["regionCode"]
    sku = hashlib.sha256(f"{name} {region}".encode()).hexdigest()[:16].upper()
    dimension = {
        "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "unit": "Hrs",
        "pricePerUnit": {"USD": f"{on_demand(name, region):.10f}"},
    }
    term = {"sku": sku, "priceDimensions": {dimension["rateCode"]: dimension}}
    return {
        "product": {"attributes": attributes, "productFamily": "Compute Instance", "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
    }
