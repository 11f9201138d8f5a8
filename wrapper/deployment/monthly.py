"""What notebooks go on costing while nothing of them runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrapper import list_prices
from wrapper.deployment.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wrapper.aws import Holding, Leftover
    from wrapper.deployment.place import Way
    from wrapper.home import Record


@dataclass(frozen=True, kw_only=True)
class Resting(Summary):
    """A summary, and what it costs while its machine is stopped."""

    monthly: dict[str, float] = field(default_factory=dict)
    """US dollars a month by list price, by what costs them; nothing when it was not asked."""
    spent: float | None = None
    """US dollars so far, about, by what this computer saw; `cost` asks the account as well."""


def of(way: Way, records: Iterable[Record]) -> dict[str, dict[str, float]]:
    """By name of the deployment: US dollars a month, by what costs them."""
    machines = {record.name: record.instance_id for record in records}
    found = way.aws.holdings(machines)
    return {
        name: priced([one for one in found if one.name == name], way.place.region)
        for name in machines
    }


def priced(held: Sequence[Holding], region: str) -> dict[str, float]:
    """US dollars a month, by what costs them."""

    def gib(kind: str) -> int:
        return sum(one.gib for one in held if one.kind == kind)

    return _told(
        {
            "disks": list_prices.month("volume", gib("volume"), region),
            "address": list_prices.address_month(sum(one.kind == "address" for one in held)),
            "snapshots": list_prices.month("snapshot", gib("snapshot"), region),
        }
    )


def of_leftovers(left: Sequence[Leftover], region: str | None = None) -> dict[str, float]:
    """Likewise, of what was found to end."""
    gib = sum(int(one.detail.split()[0]) for one in left if one.kind == "volume")
    addresses = sum(one.kind == "address" for one in left)
    return _told(
        {
            "disks": list_prices.month("volume", gib, region),
            "address": list_prices.address_month(addresses),
        }
    )


def in_words(monthly: dict[str, float], region: str) -> str | None:
    """For a person; None when nothing costs."""
    if not monthly:
        return None
    listed = ", ".join(f"{what} ${dollars:.2f}" for what, dollars in monthly.items())
    total = sum(monthly.values())
    return f"about ${total:.2f} a month ({listed}; {list_prices.basis(region)})"


def _told(by_what: dict[str, float]) -> dict[str, float]:
    return {what: dollars for what, dollars in by_what.items() if dollars}
