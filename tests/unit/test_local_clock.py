"""The API's clock, put forward: what takes hours happens now, and no code knows of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.ec2 import Account, served
from tests.unit import fleet
from wrapper.aws import Aws
from wrapper.errors import LocalError
from wrapper.local.api.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account() -> Iterator[Account]:
    with served(clock=Clock()) as account:
        yield account


@pytest.mark.parametrize("action", ["stop", "terminate"])
def test_the_end_of_the_hours_comes_when_they_were_skipped(account: Account, action: str) -> None:
    ec2, aws = account.client(), Aws(environment=account.environment)
    machine = fleet.launch(ec2, "moon")
    end = datetime.now(UTC) + timedelta(hours=15)
    aws.put_schedule("moon", machine, action, end)  # type: ignore[arg-type] # one of two words

    account.control.clock(skip=timedelta(hours=14.9).total_seconds())
    assert fleet.state(ec2, machine) == "running"
    account.control.clock(skip=600)
    ended = {"stop": "stopped", "terminate": "terminated"}[action]
    fleet.until(lambda: fleet.state(ec2, machine) == ended)


def test_hurried_a_notice_of_two_minutes_is_over_in_moments(account: Account) -> None:
    ec2 = account.client()
    account.control.clock(speed=240)
    machine = fleet.fulfilled(ec2, fleet.request_spot(ec2, "moon"))
    account.control.capacity("none")
    account.control.interrupt(machine)
    fleet.until(lambda: fleet.state(ec2, machine) == "stopped")


def test_a_history_goes_on(account: Account) -> None:
    ec2, wanted = account.client(), {"InstanceTypes": ["t3.large"]}

    def newest() -> datetime:
        found = ec2.describe_spot_price_history(**wanted)["SpotPriceHistory"]
        times: list[datetime] = [one["Timestamp"] for one in found]
        return max(times)

    before = newest()
    account.control.clock(skip=86400)
    assert newest() - before == timedelta(days=1)


def test_time_told_is_the_apis(account: Account) -> None:
    told = account.control.clock(skip=3600, speed=2)
    assert told["speed"] == 2
    assert told["ahead"] >= 3600
    assert datetime.fromisoformat(told["now"]).timestamp() > time.time() + 3590
    assert account.control.describe()["clock"]["speed"] == 2


@pytest.mark.parametrize("how", [{"skip": -1}, {"speed": 0}, {"speed": 1e9}, {"skip": 1e12}])
def test_time_does_not_go_back_nor_to_the_end_of_days(
    account: Account, how: dict[str, float]
) -> None:
    with pytest.raises(LocalError, match="time goes forward"):
        account.control.clock(**how)


def test_a_clock_of_somebody_elses_stands() -> None:
    with served() as account, pytest.raises(LocalError, match="somebody else's"):
        account.control.clock(skip=1)


def test_a_clock_never_goes_back() -> None:
    clock = Clock()
    seen = [clock()]
    for speed in (100, 0.5, 1):
        clock.hurry(speed)
        seen.append(clock())
        clock.advance(2)
        seen.append(clock())
    assert seen == sorted(seen)
    assert clock.ahead >= 5
