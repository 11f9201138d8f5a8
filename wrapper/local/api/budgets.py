"""AWS Budgets' API, and the part of Cost Explorer's that activates tags.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
Nothing costs here, so no notification is ever sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wrapper.local.api.json_service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.local.api.json_service import Operation

NAME: Final = re.compile(r"(?!.*/action/)[^:\\]{1,100}")
MOST_NOTIFICATIONS: Final = 5
PAGE: Final = 100


@dataclass
class Budgets:
    """Those of the account, and which tags tell costs."""

    budgets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def operations(self) -> dict[str, Operation]:
        """By name; these services know no regions."""
        return {
            "CreateBudget": lambda asked, _: self._create(asked),
            "CreateNotification": lambda asked, _: self._add(asked),
            "DeleteBudget": lambda asked, _: self._delete(asked),
            "DeleteNotification": lambda asked, _: self._take(asked),
            "DescribeBudget": lambda asked, _: {"Budget": self._find(asked)["Budget"]},
            "DescribeBudgets": lambda asked, _: self._describe(asked),
            "DescribeNotificationsForBudget": lambda asked, _: {
                "Notifications": [one["Notification"] for one in self._notifications(asked)]
            },
            "DescribeSubscribersForNotification": lambda asked, _: {
                "Subscribers": self._notification(asked)["Subscribers"]
            },
            "UpdateBudget": lambda asked, _: self._update(asked),
        }

    def tag_operations(self) -> dict[str, Operation]:
        """Cost Explorer's."""
        return {"UpdateCostAllocationTagsStatus": lambda asked, _: self._activate(asked)}

    def _create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked["Budget"]
        name, notifications = wanted["BudgetName"], asked.get("NotificationsWithSubscribers", [])
        if not NAME.fullmatch(name):
            raise ServiceError("InvalidParameterException", f"{name} is no name of a budget")
        if name in self.budgets:
            raise ServiceError("DuplicateRecordException", f"the budget {name} already exists")
        if wanted["BudgetType"] == "COST" and "BudgetLimit" not in wanted:
            raise ServiceError("InvalidParameterException", "BudgetLimit is required")
        if "FilterExpression" in wanted and "CostFilters" in wanted:
            raise ServiceError("InvalidParameterException", "CostFilters or FilterExpression")
        if len(notifications) > MOST_NOTIFICATIONS:
            raise ServiceError("CreationLimitExceededException", "too many notifications")
        if any(not one.get("Subscribers") for one in notifications):
            raise ServiceError("InvalidParameterException", "a notification has no subscriber")
        self.budgets[name] = {"Budget": wanted, "notifications": notifications}
        return {}

    def _update(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked["NewBudget"]
        self._find(wanted)["Budget"] = wanted
        return {}

    def _notification(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        for one in self._notifications(asked):
            if one["Notification"] == asked["Notification"]:
                return one
        raise ServiceError("NotFoundException", "the notification doesn't exist")

    def _add(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        there = self._notifications(asked)
        if any(one["Notification"] == asked["Notification"] for one in there):
            raise ServiceError("DuplicateRecordException", "the notification already exists")
        if len(there) == MOST_NOTIFICATIONS:
            raise ServiceError("CreationLimitExceededException", "too many notifications")
        there.append({key: asked[key] for key in ("Notification", "Subscribers")})
        return {}

    def _take(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._notifications(asked).remove(self._notification(asked))
        return {}

    def _find(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["BudgetName"]
        if name not in self.budgets:
            raise ServiceError("NotFoundException", f"the budget {name} doesn't exist")
        return self.budgets[name]

    def _notifications(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._find(asked)["notifications"]
        return found

    def _delete(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._find(asked)
        del self.budgets[asked["BudgetName"]]
        return {}

    def _describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        first, count = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or PAGE)
        found = [one["Budget"] for one in self.budgets.values()]
        page: dict[str, Any] = {"Budgets": found[first : first + count]}
        return page | ({"NextToken": str(first + count)} if len(found) > first + count else {})

    def _activate(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.tags |= {one["TagKey"]: one["Status"] for one in asked["CostAllocationTagsStatus"]}
        return {"Errors": []}
