"""Capacity and quotas of the embedded EC2, and what of it is decided by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.local_api import Clock, describe, refusal, request, run, standing
from tests.unit.local_market import NONE, SPOT, A, B, account, clock, ec2, machines
from wrapper.errors import LocalError
from wrapper.local.api.capacity import Capacity, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ec2 import Account
    from wrapper.local.api.capacity import Market

__all__ = ["account", "clock", "ec2", "machines"]  # fixtures, for pytest to find here


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
