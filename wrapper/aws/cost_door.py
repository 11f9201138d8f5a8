"""What `Aws` knows of costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import holdings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.aws.account import Account
    from wrapper.aws.model import Holding


class CostDoor:
    """Of one account in one region. RequestError, CredentialsError or AwsError, each in words."""

    _account: Account

    def holdings(self, machines: Mapping[str, str | None]) -> list[Holding]:
        """What these deployments, by name with their machine's id, pay for by the month."""
        return holdings.find(self._account, machines)
