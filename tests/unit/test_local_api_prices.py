"""Spot prices of the embedded EC2: history, what is set by hand, and who waits for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.local_api import Clock, describe, refusal, request, run, standing
from tests.unit.local_market import SPOT, A, B, account, clock, ec2, machines
from wrapper.errors import LocalError
from wrapper.local.api.prices import PriceQuery, Prices

if TYPE_CHECKING:
    from tests.ec2 import Account

__all__ = ["account", "clock", "ec2", "machines"]  # fixtures, for pytest to find here


def test_a_request_waits_for_a_price_that_it_pays(account: Account, ec2: Any, clock: Clock) -> None:
    account.control.price("t3.large", "0.05")
    waiting = request(ec2, SpotPrice="0.04")
    assert standing(ec2, waiting) == ("open", "price-too-low", None)
    code, message = refusal(
        lambda: run(ec2, InstanceMarketOptions={**SPOT, "SpotOptions": {"MaxPrice": "0.04"}})
    )
    assert code == "SpotMaxPriceTooLow"
    assert "price of 0.04 is lower than the minimum required Spot request" in message
    assert "0.05" in message

    account.control.price("t3.large", "0.03", zone=B)
    clock.advance(1)
    standing(ec2, waiting)
    clock.advance(6)

    machine = standing(ec2, waiting)[2]
    assert machine is not None
    assert describe(ec2, machine)["Placement"]["AvailabilityZone"] == B


def test_a_price_set_by_hand_is_the_newest_of_the_history(account: Account, ec2: Any) -> None:
    account.control.price("t3.large", 0.2, zone=A)

    wanted = {"InstanceTypes": ["t3.large"], "ProductDescriptions": ["Linux/UNIX"]}
    history = ec2.describe_spot_price_history(**wanted)["SpotPriceHistory"]

    of_a = [one["SpotPrice"] for one in history if one["AvailabilityZone"] == A]
    assert (of_a[0], len(set(of_a)) > 1) == ("0.2", True)
    assert "0.2" not in {one["SpotPrice"] for one in history if one["AvailabilityZone"] == B}


def test_the_history_since_a_moment_begins_with_the_price_in_force_then(clock: Clock) -> None:
    prices = Prices(clock)
    prices.set("t3.large", None, Decimal("0.07"))
    clock.advance(86400)

    start = datetime.fromtimestamp(clock(), UTC) - timedelta(hours=1)
    history = prices.history(PriceQuery("us-east-1", ["t3.large"], [A], start=start))

    assert history[0]["SpotPrice"] == "0.07"


def test_a_series_of_the_past_is_the_history_of_its_zone_until_the_next_price(
    account: Account, ec2: Any, clock: Clock
) -> None:
    now = datetime.fromtimestamp(clock(), UTC).replace(microsecond=0)
    days = {day: now - timedelta(days=day) for day in (40, 20, 10, 1)}
    dollars = {40: "0.041", 20: "0.042", 10: "0.043", 1: "0.044"}
    points = [(days[day].isoformat(), dollars[day]) for day in (1, 40, 10, 20)]  # in any order
    account.control.series("t3.large", points, zone=A)

    def history(since: timedelta, zone: str) -> list[tuple[Any, str]]:
        wanted = {"InstanceTypes": ["t3.large"], "AvailabilityZone": zone, "StartTime": now - since}
        found = ec2.describe_spot_price_history(**wanted)["SpotPriceHistory"]
        return [(one["Timestamp"], one["SpotPrice"]) for one in found]

    expected = [(days[day], dollars[day]) for day in (1, 10, 20)]
    assert history(timedelta(days=15), A) == expected, "with what was in force at its start"
    whole = history(timedelta(days=60), A)
    assert whole[:4] == [*expected, (days[40], dollars[40])]
    assert len(whole) > 50, "before it, the table"
    assert max(at for at, _ in whole[4:]) < days[40]
    assert not {price for _, price in history(timedelta(days=60), B)} & set(dollars.values())

    account.control.price("t3.large", "0.05", zone=A)
    assert history(timedelta(days=15), A)[0][1] == "0.05"
    account.control.price("t3.large", "0.06", zone=A, at=(now + timedelta(hours=1)).isoformat())
    assert history(timedelta(days=15), A)[0][1] == "0.05", "not yet"
    clock.advance(3601)
    assert history(timedelta(days=15), A)[0][1] == "0.06"


@pytest.mark.parametrize(
    ("points", "words"),
    [
        pytest.param([(None, "0.05"), ("yesterday", "0.05")], "'yesterday' is no time", id="time"),
        pytest.param([(None, "0.05"), (None, "free")], "'free' is no price", id="price"),
    ],
)
def test_of_a_series_that_makes_no_sense_nothing_is_set(
    account: Account, points: Any, words: str
) -> None:
    with pytest.raises(LocalError, match=words):
        account.control.series("t3.large", points)
    assert account.control.describe()["prices"] == []


def test_what_a_request_pays_at_most_is_the_on_demand_price(account: Account, ec2: Any) -> None:
    shown = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request(ec2)])
    most = Decimal(shown["SpotInstanceRequests"][0]["SpotPrice"])

    account.control.price("t3.large", str(most))
    assert standing(ec2, request(ec2))[0] == "active"
    account.control.price("t3.large", str(most + Decimal("0.0001")))
    assert standing(ec2, request(ec2))[1] == "price-too-low"
