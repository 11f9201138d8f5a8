"""What `offers` tells where AWS denies an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.looking import TWO, Look, denied, look, market, told
from wrapper.aws import Needs
from wrapper.deployment.events import Warned
from wrapper.errors import CredentialsError

if TYPE_CHECKING:
    from tests.ec2 import Account

__all__ = ["look", "market", "told"]  # fixtures, for pytest to find here


@pytest.mark.parametrize(
    ("action", "lacking"),
    [
        ("pricing:GetProducts", "on_demand_price"),
        ("ec2:GetSpotPlacementScores", "placement_score"),
        ("servicequotas:GetServiceQuota", "quota_vcpus"),
        ("ec2:DescribeAvailabilityZones", "placement_score"),
    ],
)
def test_a_denied_permission_costs_a_column_not_the_command(
    look: Look, market: Account, told: list[Any], action: str, lacking: str
) -> None:
    with denied(market, action):
        found = look(limit=3).offers
    assert [getattr(one, lacking) for one in found] == [None] * 3
    assert all(one.hourly_price for one in found)
    warned = [one.text for one in told if isinstance(one, Warned)]
    assert len(warned) == 1
    assert action.partition(":")[2] in warned[0]


@pytest.mark.parametrize(
    ("action", "looking", "markets"),
    [
        ("pricing:GetProducts", {"markets": "both"}, {"spot"}),
        ("ec2:DescribeSpotPriceHistory", {"markets": "both"}, {"on-demand"}),
        ("ec2:DescribeSpotPriceHistory", {"markets": "on-demand"}, {"on-demand"}),
        ("ec2:DescribeRegions", {"regions": TWO}, {"spot"}),
    ],
    ids=["on-demand prices", "spot prices", "unasked", "regions"],
)
def test_a_denied_permission_costs_what_only_it_tells(
    look: Look,
    market: Account,
    told: list[Any],
    action: str,
    looking: dict[str, Any],
    markets: set[str],
) -> None:
    with denied(market, action):
        found = look(limit=500, **looking)
    assert {one.market for one in found.offers} == markets
    assert {*found.regions} == {*looking.get("regions", ("us-east-1",))}
    warned = [one.text for one in told if isinstance(one, Warned)]
    assert all(action.partition(":")[2] in one for one in warned)
    assert bool(warned) == (looking.get("markets") != "on-demand")


def test_who_may_not_ask_what_fits_looks_at_all_there_is(
    look: Look, market: Account, told: list[Any]
) -> None:
    needs = Needs(100, 8, gpus=1)
    expected = {one.instance_type for one in look(needs, limit=500).offers}
    with denied(market, "ec2:GetInstanceTypesFromInstanceRequirements"):
        found = look(needs, limit=500, refresh=True)
        assert {one.instance_type for one in found.offers} == expected
        assert not [one for one in told if isinstance(one, Warned)]
        with (
            denied(market, "ec2:DescribeInstanceTypes"),
            pytest.raises(CredentialsError, match="GetInstanceTypesFromInstanceRequirements"),
        ):
            look(needs, refresh=True)


def test_the_only_prices_denied_are_an_error_and_not_a_market_without_offers(
    look: Look, market: Account
) -> None:
    with denied(market, "pricing:GetProducts"), pytest.raises(CredentialsError, match="GetProd"):
        look(markets="on-demand")
