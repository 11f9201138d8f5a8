"""What `Aws` knows of costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import budgets, history, holdings, schedules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from wrapper.aws.account import Account
    from wrapper.aws.model import Holding
    from wrapper.aws.schedules import Action
    from wrapper.spending import Change, Moment


class CostDoor:
    """Of one account in one region. RequestError, CredentialsError or AwsError, each in words."""

    _account: Account

    def holdings(self, machines: Mapping[str, str | None]) -> list[Holding]:
        """What these deployments, by name with their machine's id, pay for by the month."""
        return holdings.find(self._account, machines)

    def moments(self, instance_ids: Iterable[str], since: datetime) -> list[Moment]:
        """When these machines started and stopped, as CloudTrail tells of the last 90 days."""
        return history.moments(self._account, instance_ids, since)

    def spot_changes(
        self, instance_type: str, zone: str, since: datetime, until: datetime
    ) -> list[Change]:
        """Every spot price of that time, oldest first, begun with the one at its beginning."""
        return history.spot_changes(self._account, instance_type, zone, since, until)

    def now(self) -> datetime:
        """The time by AWS's clock, to the second."""
        return self._account.now()

    def put_budget(self, name: str | None, monthly: float, email: str | None) -> None:
        """There is one of so many US dollars a month, for a deployment or, None, for all."""
        budgets.put(self._account, name, monthly, email)

    def remove_budget(self, name: str | None) -> bool:
        """There is none; whether there was one."""
        return budgets.remove(self._account, name)

    def budgets(self) -> list[str]:
        """Every deployment that has a budget of its own, sorted."""
        return budgets.names(self._account)

    def activate_tag(self) -> str | None:
        """Costs are told by our tag from now on; else why not yet."""
        return budgets.activate_tag(self._account)

    def put_schedule(self, name: str, instance_id: str, action: Action, at: datetime) -> None:
        """At that moment AWS stops or terminates the machine; nothing else is scheduled."""
        schedules.put(self._account, name, instance_id, action, at)

    def remove_schedule(self, name: str) -> bool:
        """There is no schedule of it and no role for one; whether there was a schedule."""
        return schedules.remove(self._account, name)
