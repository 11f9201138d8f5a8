"""The market of the embedded EC2, whose time passes when a test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import Account, served
from tests.unit.local_api import Clock, Machines
from wrapper.local.api.capacity import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOT = {"MarketType": "spot"}
NONE, A, B = Rule(given=False), "us-east-1a", "us-east-1b"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machines(clock: Clock) -> Machines:
    return Machines(clock)


@pytest.fixture
def account(machines: Machines, clock: Clock) -> Iterator[Account]:
    with served(machines, clock) as account:
        yield account


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client()
