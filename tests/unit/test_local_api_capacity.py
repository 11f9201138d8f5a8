"""Capacity, quotas and prices of the embedded EC2: withheld, given back, answered as EC2 does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import Account, served
from tests.unit.local_api import Clock, Machines, describe, refusal, request, run, standing
from wrapper.errors import LocalError
from wrapper.local.api.capacity import Capacity, Rule
from wrapper.local.api.prices import PriceQuery, Prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrapper.local.api.capacity import Market

SPOT = {"MarketType": "spot"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Iterator[Account]:
    with served(Machines(clock), clock) as account:
        yield account


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client()


NONE, A, B = Rule(given=False), "us-east-1a", "us-east-1b"


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        pytest.param([], {(A, "spot"), (A, "on-demand"), (B, "spot"), (B, "on-demand")}, id="all"),
        pytest.param([NONE], set(), id="none anywhere"),
        pytest.param([NONE, Rule(True, zone=B)], {(B, "spot"), (B, "on-demand")}, id="back in b"),
        pytest.param(
            [Rule(False, market="spot")], {(A, "on-demand"), (B, "on-demand")}, id="no spot"
        ),
        pytest.param(
            [Rule(False, instance_type="m5.large")],
            {(A, "spot"), (A, "on-demand"), (B, "spot"), (B, "on-demand")},
            id="another type",
        ),
        pytest.param(
            [Rule(False, A, "t3.large"), Rule(False, market="spot")],
            {(B, "on-demand")},
            id="two that overlap",
        ),
    ],
)
def test_the_last_word_about_a_pool_decides(rules: list[Rule], left: set[tuple[str, str]]) -> None:
    capacity = Capacity()
    for rule in rules:
        capacity.decide(rule)

    markets: tuple[Market, ...] = ("spot", "on-demand")
    pools = [(zone, market) for zone in (A, B) for market in markets]
    assert {(z, m) for z, m in pools if capacity.has(z, "t3.large", m)} == left
    capacity.decide(Rule(given=True))
    assert capacity.rules == []


def test_a_launch_without_capacity_names_the_zones_that_have_some(
    account: Account, ec2: Any
) -> None:
    account.control.capacity("none", zone=A, instance_type="t3.large", market="on-demand")
    here = {"Placement": {"AvailabilityZone": A}}

    code, message = refusal(lambda: run(ec2, **here))
    assert code == "InsufficientInstanceCapacity"
    assert f"sufficient t3.large capacity in the Availability Zone you requested ({A})" in message
    assert "choosing us-east-1b, us-east-1c" in message
    assert ec2.describe_instances()["Reservations"] == []

    assert describe(ec2, run(ec2))["Placement"]["AvailabilityZone"] == B, (
        "EC2 chose a zone that has"
    )
    run(ec2, InstanceType="t3.medium", **here)
    run(ec2, InstanceMarketOptions=SPOT, **here)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param({}, "InsufficientInstanceCapacity", "currently do not have", id="on demand"),
        pytest.param(
            {"InstanceMarketOptions": SPOT},
            "InsufficientInstanceCapacity",
            "no Spot capacity available",
            id="market options",
        ),
    ],
)
def test_a_lack_of_capacity_is_an_error_of_the_server(
    account: Account, ec2: Any, options: dict[str, Any], code: str, words: str
) -> None:
    account.control.capacity("none")

    answers: list[Any] = []
    ec2.meta.events.register(
        "after-call.ec2", lambda http_response, **_: answers.append(http_response)
    )
    answered, message = refusal(lambda: run(ec2, **options))

    assert (answered, answers[-1].status_code) == (code, 500), "clients try again by themselves"
    assert words in message
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []


def test_a_request_waits_for_capacity_and_is_fulfilled_when_it_is_back(
    account: Account, ec2: Any, clock: Clock
) -> None:
    account.control.capacity("none", market="spot")
    waiting = request(ec2)
    assert standing(ec2, waiting) == ("open", "capacity-not-available", None)
    clock.advance(3600)
    assert standing(ec2, waiting) == ("open", "capacity-not-available", None)

    account.control.capacity("back", zone=B)
    assert standing(ec2, waiting)[0] == "open", "EC2 takes a moment"
    clock.advance(6)

    state, code, machine = standing(ec2, waiting)
    assert (state, code) == ("active", "fulfilled")
    assert machine is not None
    assert describe(ec2, machine)["Placement"]["AvailabilityZone"] == B


def test_a_stopped_machine_without_capacity_cannot_be_started(
    account: Account, ec2: Any, clock: Clock
) -> None:
    machine = run(ec2)
    clock.advance(1)
    ec2.stop_instances(InstanceIds=[machine])
    clock.advance(1)
    zone = describe(ec2, machine)["Placement"]["AvailabilityZone"]
    account.control.capacity("none", zone=zone)

    code, message = refusal(lambda: ec2.start_instances(InstanceIds=[machine]))
    assert (code, zone in message) == ("InsufficientInstanceCapacity", True)
    assert describe(ec2, machine)["State"]["Name"] == "stopped"

    account.control.capacity("back")
    ec2.start_instances(InstanceIds=[machine])


def test_quotas_count_the_vcpus_of_a_market_and_a_family(account: Account, ec2: Any) -> None:
    account.control.quota("on-demand", 4)
    account.control.quota("spot", 3)
    run(ec2)
    run(ec2)
    code, message = refusal(lambda: run(ec2))
    assert (code, "vCPU limit of 4" in message) == ("VcpuLimitExceeded", True)
    run(ec2, InstanceType="g4dn.xlarge")

    first = request(ec2)
    assert refusal(lambda: request(ec2))[0] == "MaxSpotInstanceCountExceeded"
    assert (
        refusal(lambda: run(ec2, InstanceMarketOptions=SPOT))[0] == "MaxSpotInstanceCountExceeded"
    )
    found = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert [one["SpotInstanceRequestId"] for one in found] == [first]

    account.control.quota("spot", None)
    request(ec2)


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


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        pytest.param({"ValidFrom": 1}, ("open", "not-scheduled-yet"), id="too early"),
        pytest.param({"ValidUntil": 1}, ("open", "capacity-not-available"), id="in time"),
        pytest.param({"ValidUntil": -1}, ("cancelled", "schedule-expired"), id="too late"),
    ],
)
def test_a_request_is_valid_for_its_time(
    account: Account, ec2: Any, hours: dict[str, int], expected: tuple[str, str]
) -> None:
    account.control.capacity("none")
    now = datetime.now(UTC)
    asked = {name: now + timedelta(hours=by) for name, by in hours.items()}

    assert standing(ec2, request(ec2, **asked))[:2] == expected


def test_a_request_whose_subnet_went_fails_by_its_parameters(account: Account, ec2: Any) -> None:
    subnet = ec2.create_subnet(
        VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        CidrBlock="172.31.240.0/24",
        AvailabilityZone=A,
    )["Subnet"]["SubnetId"]
    account.control.capacity("none")
    waiting = request(ec2, LaunchSpecification={"SubnetId": subnet})
    ec2.delete_subnet(SubnetId=subnet)

    assert standing(ec2, waiting)[:2] == ("failed", "bad-parameters")
    found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[waiting])
    assert subnet in found["SpotInstanceRequests"][0]["Fault"]["Message"]


@pytest.mark.parametrize(
    ("ask", "message", "hint"),
    [
        pytest.param(
            lambda it: it.capacity("none", zone="us-east-1z"),
            "no availability zone 'us-east-1z'",
            "us-east-1a, us-east-1b",
            id="zone",
        ),
        pytest.param(
            lambda it: it.capacity("none", instance_type="t3.larg"),
            "no instance type 't3.larg'",
            "t3.large",
            id="type",
        ),
        pytest.param(lambda it: it.capacity("some"), "none or back", None, id="verb"),
        pytest.param(
            lambda it: it.capacity("none", market="black"), "spot or on-demand", None, id="market"
        ),
        pytest.param(lambda it: it.price("t3.large", "dear"), "no price", "0.05", id="words"),
        pytest.param(lambda it: it.price("t3.large", -1), "no price", "0.05", id="below zero"),
        pytest.param(lambda it: it.price("t3.large", "inf"), "no price", "0.05", id="infinite"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_words(
    account: Account, ask: Callable[[Any], None], message: str, hint: str | None
) -> None:
    with pytest.raises(LocalError) as caught:
        ask(account.control)

    assert message in caught.value.message
    assert hint is None or hint in str(caught.value.hint)
    assert account.control.describe()["capacity"] == []


def test_what_was_decided_is_told(account: Account) -> None:
    account.control.capacity("none", zone=A, market="spot")
    account.control.price("t3.large", "0.9", zone=A)
    account.control.price("t3.large", "0.8")
    account.control.quota("spot", 8, family="g-and-vt")

    told = account.control.describe()

    assert told["capacity"] == [
        {"given": False, "zone": A, "instance_type": None, "market": "spot"}
    ]
    assert [(one["zone"], one["dollars"]) for one in told["prices"]] == [(None, "0.8")]
    assert told["quotas"] == [{"market": "spot", "family": "g-and-vt", "vcpus": 8}]
