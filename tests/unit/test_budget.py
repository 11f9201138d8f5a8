"""`budget`: an alert that AWS Budgets sends, and nothing left of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.ec2 import served
from tests.unit.ending import PLACE
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.aws import tagged
from wrapper.deployment import clearing
from wrapper.deployment.events import Note, Warned
from wrapper.errors import (
    AwsError,
    CredentialsError,
    UnansweredError,
    UnknownDeploymentError,
    UsageError,
)
from wrapper.home import Home, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World

ACCOUNT, ADDRESS = "123456789012", "somebody@example.org"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(clearing, "AGAIN", (0.0, 0.1))
    with served() as made:
        yield made


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def world(tmp_path: Path, account: Account, told: list[Any]) -> World:
    made = bare_world(tmp_path, account, StandIn(), told)
    home = Home(root(made.environment) / "one")
    home.create()
    home.remember(Record("one", PLACE))
    return made


def budgets(account: Account) -> dict[str, Any]:
    client = account.client(service="budgets")
    found = client.describe_budgets(AccountId=ACCOUNT).get("Budgets", [])
    return {one["BudgetName"]: one for one in found}


def thresholds(account: Account, name: str) -> list[float]:
    client = account.client(service="budgets")
    found = client.describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName=name)
    return [one["Threshold"] for one in found["Notifications"]]


def test_it_watches_what_carries_the_tag_of_the_notebook(world: World, account: Account) -> None:
    done = deployment.budget(world, "one", monthly=50, email=ADDRESS)
    assert (done.monthly, done.tag_active) == (50, True)
    made = budgets(account)["jupyter-clouds-one"]
    assert made["BudgetLimit"] == {"Amount": "50.00", "Unit": "USD"}
    assert made["CostFilters"] == {"TagKeyValue": ["user:jupyter-clouds:deployment$one"]}
    assert thresholds(account, "jupyter-clouds-one") == [50, 80, 100]


def test_one_that_is_there_is_changed_and_never_gone(world: World, account: Account) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    account.control.refuse("budgets:CreateBudget", "denied")
    account.control.refuse("budgets:DeleteBudget", "denied")
    deployment.budget(world, "one", monthly=20, email="other@example.org")
    assert budgets(account)["jupyter-clouds-one"]["BudgetLimit"]["Amount"] == "20.00"
    assert thresholds(account, "jupyter-clouds-one") == [50, 80, 100]
    client = account.client(service="budgets")
    of_it = {"AccountId": ACCOUNT, "BudgetName": "jupyter-clouds-one"}
    first = client.describe_notifications_for_budget(**of_it)["Notifications"][0]
    heard = client.describe_subscribers_for_notification(**of_it, Notification=first)
    assert [one["Address"] for one in heard["Subscribers"]] == ["other@example.org"]
    deployment.budget(world, "one", monthly=20)
    assert thresholds(account, "jupyter-clouds-one") == []


def test_somebody_elses_is_left_alone_whatever_it_is_called(world: World, account: Account) -> None:
    theirs = {
        "BudgetLimit": {"Amount": "5", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
    }
    client = account.client(service="budgets")
    for name in ("jupyter-clouds-one", "jupyter-clouds-course"):
        client.create_budget(AccountId=ACCOUNT, Budget={**theirs, "BudgetName": name})
    with pytest.raises(AwsError, match="watches something else"):
        deployment.budget(world, "one", monthly=20)
    assert not deployment.remove_budget(world, "one").changed
    deployment.down(world, "one")
    deployment.sweep(world, local=True)
    assert {*budgets(account)} == {"jupyter-clouds-one", "jupyter-clouds-course"}


def test_one_for_all_watches_whatever_carries_the_tag(world: World, account: Account) -> None:
    deployment.budget(world, None, monthly=50, email=ADDRESS, local=True)
    made = budgets(account)["jupyter-clouds"]
    absent = {"Tags": {"Key": "jupyter-clouds:deployment", "MatchOptions": ["ABSENT"]}}
    assert made["FilterExpression"] == {"Not": absent}


def test_without_an_address_it_says_that_nobody_hears_of_it(
    world: World, account: Account, told: list[Any]
) -> None:
    deployment.budget(world, "one", monthly=50)
    assert thresholds(account, "jupyter-clouds-one") == []
    assert any(isinstance(one, Warned) and "--email" in one.text for one in told)


def test_a_tag_that_may_not_be_activated_is_told_of_and_the_budget_stays(
    world: World, account: Account, told: list[Any]
) -> None:
    account.control.refuse("ce:UpdateCostAllocationTagsStatus", "denied")
    done = deployment.budget(world, "one", monthly=50, email=ADDRESS)
    assert not done.tag_active
    assert "jupyter-clouds-one" in budgets(account)
    (warned,) = [one.text for one in told if isinstance(one, Warned)]
    assert "stays empty until" in warned
    assert "costmanagement/home#/tags" in warned


def test_without_permission_it_names_the_policy(world: World, account: Account) -> None:
    account.control.refuse("budgets:CreateBudget", "denied")
    with pytest.raises(CredentialsError, match="CreateBudget") as raised:
        deployment.budget(world, "one", monthly=50, email=ADDRESS)
    assert "docs/aws.md" in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"monthly": 0}, "--monthly 0: from 0.01"),
        ({"monthly": -5}, "--monthly -5"),
        ({"monthly": float("nan")}, "--monthly nan"),
        ({"monthly": 5, "email": "nobody"}, "--email nobody: no address"),
    ],
    ids=str,
)
def test_what_is_no_budget_is_refused(world: World, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        deployment.budget(world, "one", **wrong)


def test_an_unknown_notebook_has_none(world: World) -> None:
    with pytest.raises(UnknownDeploymentError, match="There is: one"):
        deployment.budget(world, "two", monthly=5)


def test_it_is_removed_once(world: World, account: Account) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    assert deployment.remove_budget(world, "one").changed
    assert not deployment.remove_budget(world, "one").changed
    assert budgets(account) == {}


def test_down_leaves_the_one_of_all_alone(world: World, account: Account, told: list[Any]) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    deployment.budget(world, None, monthly=90, email=ADDRESS, local=True)
    deployment.down(world, "one")
    assert list(budgets(account)) == ["jupyter-clouds"]
    assert "The budget of one is removed" in [one.text for one in told if isinstance(one, Note)]


def test_down_without_the_right_to_look_says_nothing(
    world: World, account: Account, told: list[Any]
) -> None:
    for one in ("DescribeBudget", "DeleteBudget"):
        account.control.refuse(f"budgets:{one}", "denied")
    deployment.down(world, "one")
    assert not [one for one in told if isinstance(one, Warned)]


def test_sweep_removes_what_a_lost_notebook_has_left(world: World, account: Account) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    (root(world.environment) / "one" / "deployment.json").rename(world.environment["HOME"] + "/was")
    home = Home(root(world.environment) / "two")
    home.create()
    home.remember(Record("two", PLACE))
    deployment.budget(world, "two", monthly=50, email=ADDRESS)
    deployment.sweep(world, local=True, regions=("us-east-1",))
    assert len(budgets(account)) == 2, "another region may have something of it"
    deployment.sweep(world, local=True)
    assert list(budgets(account)) == ["jupyter-clouds-two"]


def test_sweep_leaves_what_nobody_was_there_to_agree_to(
    world: World, account: Account, told: list[Any]
) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    (root(world.environment) / "one" / "deployment.json").rename(world.environment["HOME"] + "/was")

    def nobody(_: str) -> bool:
        raise UnansweredError("this is no terminal", hint="Add --yes")

    found = deployment.sweep(replace(world, confirm=nobody), local=True)
    assert found.ended == ()
    assert list(budgets(account)) == ["jupyter-clouds-one"]
    warned = [one.text for one in told if isinstance(one, Warned)]
    assert warned == ["The budget of one stays: this is no terminal"]


def test_sweep_leaves_budgets_where_it_could_not_look_everywhere(
    world: World, account: Account, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.budget(world, "one", monthly=50, email=ADDRESS)
    (root(world.environment) / "one" / "deployment.json").rename(world.environment["HOME"] + "/was")
    names = tagged.names

    def denied(asked: Any) -> list[str]:
        if asked.region == "eu-west-1":
            raise CredentialsError("The AWS user may not do this.", hint="")
        return names(asked)

    monkeypatch.setattr(tagged, "names", denied)
    deployment.sweep(world, local=True)
    assert list(budgets(account)) == ["jupyter-clouds-one"]
    said = [one.text for one in told if isinstance(one, Note)]
    assert "No budget is touched: eu-west-1 could not be searched" in said


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"BudgetName": "with:colon"}, "InvalidParameterException"),
        ({"BudgetLimit": None}, "InvalidParameterException"),
    ],
    ids=str,
)
def test_the_embedded_one_refuses_what_aws_does(
    account: Account, asked: dict[str, Any], code: str
) -> None:
    whole = {
        "BudgetName": "x",
        "BudgetLimit": {"Amount": "5", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
    }
    budget = {key: value for key, value in {**whole, **asked}.items() if value is not None}
    with pytest.raises(ClientError, match=code):
        account.client(service="budgets").create_budget(AccountId=ACCOUNT, Budget=budget)
