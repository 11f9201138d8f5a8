"""AWS Budgets: alerts for what carries our tag.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html
Its figures are hours old:
https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-best-practices.html
Written from its documentation; tried on the embedded EC2, not yet on AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from wrapper.aws.model import DEPLOYMENT_TAG
from wrapper.aws.words import code_of
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from wrapper.aws.account import Account

PREFIX: Final = "jupyter-clouds"
THRESHOLDS: Final = (50, 80, 100)
"""Per cent; a budget takes five notifications at most."""


def budget_name(name: str | None) -> str:
    """Of the budget of a deployment; None is that of all."""
    return f"{PREFIX}-{name}" if name else PREFIX


def put(account: Account, name: str | None, monthly: float, email: str | None) -> None:
    """There is one of so many US dollars a month, changed if there was one; None is for all.

    AwsError: one of that name is somebody else's.
    """
    wanted: dict[str, Any] = {
        "BudgetName": budget_name(name),
        "BudgetLimit": {"Amount": f"{monthly:.2f}", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
        **_filter(name),
    }
    alerts = [_alert(percent) for percent in THRESHOLDS if email]
    heard = [{"SubscriptionType": "EMAIL", "Address": email}]
    told = [{"Notification": one, "Subscribers": heard} for one in alerts]
    whose = account.identity().account
    with account.mapped(f"making the budget {budget_name(name)}"):
        before = _find(account, name)
        if before is None:
            account.budgets.create_budget(
                AccountId=whose,
                Budget=wanted,
                **({"NotificationsWithSubscribers": told} if told else {}),
            )
            return
    if not _is_ours(before, name):
        raise AwsError(
            f"There is a budget {budget_name(name)} that watches something else.",
            hint="Rename or delete it: https://console.aws.amazon.com/costmanagement/home#/budgets",
        )
    with account.mapped(f"changing the budget {budget_name(name)}"):
        account.budgets.update_budget(AccountId=whose, NewBudget=wanted)
        of_it: Any = {"AccountId": whose, "BudgetName": budget_name(name)}
        there = account.budgets.describe_notifications_for_budget(**of_it)
        for one in there.get("Notifications", []):
            account.budgets.delete_notification(**of_it, Notification=one)
        for each in told:
            account.budgets.create_notification(**of_it, **each)


def _alert(percent: int) -> dict[str, Any]:
    return {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": float(percent),
        "ThresholdType": "PERCENTAGE",
    }


def _find(account: Account, name: str | None) -> Any:
    """As it is described; None when there is none."""
    whose = account.identity().account
    try:
        found = account.budgets.describe_budget(AccountId=whose, BudgetName=budget_name(name))
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        return None
    return found["Budget"]


def _is_ours(found: Any, name: str | None) -> bool:
    """It watches what we would have it watch: anybody may call a budget as ours are called."""
    wanted = _filter(name)
    if name:
        return bool(found.get("CostFilters") == wanted["CostFilters"])
    return bool(found.get("FilterExpression") == wanted["FilterExpression"])


def _filter(name: str | None) -> dict[str, Any]:
    if name:
        # https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
        return {"CostFilters": {"TagKeyValue": [f"user:{DEPLOYMENT_TAG}${name}"]}}
    absent = {"Tags": {"Key": DEPLOYMENT_TAG, "MatchOptions": ["ABSENT"]}}
    return {"FilterExpression": {"Not": absent}, "Metrics": ["UnblendedCost"]}


def remove(account: Account, name: str | None) -> bool:
    """There is none of ours; whether there was one."""
    with account.mapped(f"removing the budget {budget_name(name)}"):
        if not _is_ours(_find(account, name) or {}, name):
            return False
        account.budgets.delete_budget(
            AccountId=account.identity().account, BudgetName=budget_name(name)
        )
    return True


def names(account: Account) -> list[str]:
    """Every deployment that has a budget of its own, sorted."""
    with account.mapped("looking for budgets"):
        pages = account.budgets.get_paginator("describe_budgets").paginate(
            AccountId=account.identity().account
        )
        found = [one for page in pages for one in page.get("Budgets", [])]
    called = {one["BudgetName"].removeprefix(f"{PREFIX}-"): one for one in found}
    return sorted(
        name for name, one in called.items() if one["BudgetName"] != name and _is_ours(one, name)
    )


def activate_tag(account: Account) -> str | None:
    """Costs are told by our tag from now on; else why not yet.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_UpdateCostAllocationTagsStatus.html
    """
    with account.mapped("activating the cost allocation tag"):
        answer = account.cost_explorer.update_cost_allocation_tags_status(
            CostAllocationTagsStatus=[{"TagKey": DEPLOYMENT_TAG, "Status": "Active"}]
        )
    errors = answer.get("Errors", [])
    return str(errors[0].get("Message") or errors[0].get("Code")) if errors else None
