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

if TYPE_CHECKING:
    from wrapper.aws.account import Account

PREFIX: Final = "jupyter-clouds"
THRESHOLDS: Final = (50, 80, 100)
"""Per cent; a budget takes five notifications at most."""


def budget_name(name: str | None) -> str:
    """Of the budget of a deployment; None is that of all."""
    return f"{PREFIX}-{name}" if name else PREFIX


def put(account: Account, name: str | None, monthly: float, email: str | None) -> None:
    """There is one of so many US dollars a month, in place of any of before; None is for all."""
    remove(account, name)
    wanted: dict[str, Any] = {
        "BudgetName": budget_name(name),
        "BudgetLimit": {"Amount": f"{monthly:.2f}", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
        **_filter(name),
    }
    notifications = [
        {
            "Notification": {
                "NotificationType": "ACTUAL",
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": float(percent),
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": email}],
        }
        for percent in THRESHOLDS
        if email
    ]
    with account.mapped(f"making the budget {budget_name(name)}"):
        account.budgets.create_budget(
            AccountId=account.identity().account,
            Budget=wanted,
            **({"NotificationsWithSubscribers": notifications} if notifications else {}),
        )


def _filter(name: str | None) -> dict[str, Any]:
    if name:
        # https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
        return {"CostFilters": {"TagKeyValue": [f"user:{DEPLOYMENT_TAG}${name}"]}}
    absent = {"Tags": {"Key": DEPLOYMENT_TAG, "MatchOptions": ["ABSENT"]}}
    return {"FilterExpression": {"Not": absent}, "Metrics": ["UnblendedCost"]}


def remove(account: Account, name: str | None) -> bool:
    """There is none; whether there was one."""
    with account.mapped(f"removing the budget {budget_name(name)}"):
        try:
            account.budgets.delete_budget(
                AccountId=account.identity().account, BudgetName=budget_name(name)
            )
        except ClientError as error:
            if code_of(error) != "NotFoundException":
                raise
            return False
    return True


def names(account: Account) -> list[str]:
    """Every deployment that has a budget of its own, sorted."""
    with account.mapped("looking for budgets"):
        pages = account.budgets.get_paginator("describe_budgets").paginate(
            AccountId=account.identity().account
        )
        found = [one["BudgetName"] for page in pages for one in page.get("Budgets", [])]
    return sorted(one.removeprefix(f"{PREFIX}-") for one in found if one.startswith(f"{PREFIX}-"))


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
