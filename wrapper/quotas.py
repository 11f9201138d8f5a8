"""Quotas of vCPUs: which one a type counts against, and how more is asked for. Pure."""

from __future__ import annotations

import re
from typing import Literal

_CODES = (
    # vCPUs, on-demand and spot, by family:
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
    (re.compile(r"(g|gr|vt)\d"), "L-DB2E81BA", "L-3819A6DF"),
    (re.compile(r"p\d"), "L-417A185B", "L-7212CCBC"),
    (re.compile(r"x\d"), "L-7295265B", "L-E3A00192"),
    (re.compile(r"[acdhimrtz]\d"), "L-1216C47A", "L-34B43A08"),
)


def code(instance_type: str, market: Literal["spot", "on-demand"]) -> str | None:
    """Of the quota that a type counts against; None for the rarer families."""
    for pattern, on_demand, spot in _CODES:
        if pattern.match(instance_type):
            return spot if market == "spot" else on_demand
    return None


def request(code: str, region: str, vcpus: int) -> str:
    """The command that asks AWS for so many.

    https://docs.aws.amazon.com/cli/latest/reference/service-quotas/request-service-quota-increase.html
    """
    return (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
        f"--region {region} --desired-value {vcpus}"
    )


def page(code: str, region: str) -> str:
    """Where a browser shows it."""
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"
