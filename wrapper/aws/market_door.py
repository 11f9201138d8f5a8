"""What `Aws` knows of types and prices, before any machine is made. Nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import catalogue, chances, prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from wrapper.aws.account import Account
    from wrapper.aws.model import Kind, Needs, SpotPrice


class MarketDoor:
    """Of one account in one region. RequestError, CredentialsError or AwsError, each in words."""

    _account: Account

    def fitting(self, needs: Needs) -> list[str]:
        """Names of the region's types that have as much, sorted; no bare metal."""
        return catalogue.fitting(self._account, needs)

    def every_kind(self) -> list[Kind]:
        """All types of the region; no bare metal."""
        return catalogue.every(self._account)

    def kinds(self, names: Iterable[str]) -> list[Kind]:
        """What these types have; those that the region lacks are left out."""
        return catalogue.kinds(self._account, names)

    def spot_prices(self, types: Sequence[str]) -> list[SpotPrice]:
        """US dollars an hour that hold now, by type and zone."""
        return prices.spot_prices(self._account, types)

    def spot_history(
        self, types: Sequence[str], days: float, zone: str | None = None
    ) -> list[SpotPrice]:
        """Every change of so many days, oldest first, begun with the price at their beginning."""
        return prices.spot_history(self._account, types, days, zone)

    def on_demand_prices(
        self, types: Iterable[str], regions: Sequence[str]
    ) -> dict[tuple[str, str], Decimal]:
        """US dollars an hour by type and region; what the Price List lacks is left out."""
        return prices.on_demand(self._account, types, regions)

    def placement_scores(
        self, types: Sequence[str], regions: Sequence[str]
    ) -> dict[tuple[str, str], int]:
        """From 1 to 10, by region and id of the zone, of a request that takes any of these."""
        return chances.placement_scores(self._account, types, regions)

    def zone_ids(self) -> dict[str, str]:
        """The region's zones, id by name."""
        return chances.zone_ids(self._account)

    def vcpu_quota(self, code: str) -> int:
        """vCPUs that may run at a time, by the quota of that code."""
        return chances.quota(self._account, code)
