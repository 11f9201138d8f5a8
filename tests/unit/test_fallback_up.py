"""An `up` that EC2 refuses, and what it tries instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, refusals
from wrapper.aws import Aws, SpotRequest
from wrapper.deployment import fallback
from wrapper.deployment import requests as room
from wrapper.deployment.events import Note, Step
from wrapper.deployment.requests import Requests
from wrapper.deployment.wanted import Wanted
from wrapper.errors import RefusedError, RequestError, TerraformError
from wrapper.home import Home, root
from wrapper.settings import Settings
from wrapper.terraform import Change, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World


@dataclass
class Saying:
    """An account whose one request stands as the test lets it."""

    status: str = "pending-evaluation"
    state: str = "open"

    def find_spot_requests(self, _: str) -> list[SpotRequest]:
        return [SpotRequest("sir-1", "x", self.state, self.status, "", None)]


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_request_is_given_up_when_it_stays_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, account, give_up = Clock(), Saying(), threading.Event()
    monkeypatch.setattr(room, "time", clock)
    watched = Requests(account, "x", give_up)  # type: ignore[arg-type] # as much as is asked
    no = "capacity-not-available"
    course = [(100, "pending-evaluation"), (1, no), (20, no), (4, "pending-fulfillment"), (5, no)]
    for seconds, status in (*course, (24, no)):
        clock.now += seconds
        account.status = status
        watched.look()
        assert not give_up.is_set(), "it may still come"
    clock.now += 1
    watched.look()
    assert give_up.is_set()
    assert watched.refusal is refusals.REQUESTS["capacity-not-available"]


def test_requests_of_before_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, account, give_up = Clock(), Saying("price-too-low"), threading.Event()
    monkeypatch.setattr(room, "time", clock)
    watched = Requests(account, "x", give_up, ignore=["sir-1"])  # type: ignore[arg-type] # likewise
    watched.look()
    clock.now += 1000
    watched.look()
    assert not give_up.is_set()


class Refusing(StandIn):
    """A Terraform to which EC2 refuses some machines."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.tried: list[dict[str, Any]] = []

    def plan_and_apply(self, *_: Any, **__: Any) -> list[str]:
        """Refused as long as there are codes; then something else is wrong."""
        assert self.home
        self.tried.append(self.home.variables())
        refusal = refusals.of_code(self.codes.pop(0)) if self.codes else None
        if refusal:
            raise refusals.error(refusal)
        raise TerraformError("it would have worked", hint="")

    def plan(self) -> Plan:
        """What is asked of a later `up`."""
        return Plan((Change("aws_eip.this[0]", "aws_eip", "create"),))

    def apply(self, *_: Any) -> None:
        """Likewise."""
        self.plan_and_apply()


@pytest.fixture
def terraform() -> Refusing:
    return Refusing()


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def world(tmp_path: Path, account: Account, terraform: Refusing, told: list[Any]) -> World:
    return bare_world(tmp_path, account, terraform, told)


@pytest.fixture
def up(world: World, name: str, terraform: Refusing) -> Callable[..., None]:
    home = terraform.home = Home(root(world.environment) / name)

    def again(*codes: str, max_price: float | None = None, **asked: Any) -> None:
        terraform.codes, terraform.tried = [*codes], []
        settings = Settings(allow=("203.0.113.7/32",), **asked)
        wanted = Wanted(
            name=home.name,
            settings=settings,
            new_password=lambda: PASSWORD,
            local=True,
            max_price=max_price,
        )
        deployment.up(world, wanted)

    return again


def test_each_allowed_machine_is_tried_and_what_was_learnt_is_told(
    up: Callable[..., None], terraform: Refusing, told: list[Any], aws: Aws
) -> None:
    zones = aws.check_request(fallback.request(Settings(spot=True), aws.region)).zones
    codes = ["capacity-not-available"] * len(zones)
    with pytest.raises(TerraformError, match="it would have worked"):
        up(*codes, market="auto")
    assert [one["spot"] for one in terraform.tried] == [True] * len(zones) + [False]
    first, *others = terraform.tried
    assert "subnet_id" not in first or first["subnet_id"] is None
    assert len({one["subnet_id"] for one in others}) == len(zones)
    notes = [one.text for one in told if isinstance(one, Note) and "no spot capacity" in one.text]
    assert len(notes) == len(zones)
    assert sum(isinstance(one, Step) and one.text.startswith("Trying ") for one in told) == len(
        zones
    )


def test_when_all_is_refused_the_error_lists_it_and_the_next_up_begins_anew(
    up: Callable[..., None], terraform: Refusing
) -> None:
    asked = {"spot": True, "fallback": ("m5.large", "on-demand")}
    codes = ("price-too-low", "capacity-not-available", "InsufficientInstanceCapacity")
    with pytest.raises(RefusedError) as raised:
        up(*codes, **asked)
    assert raised.value.message.count("\n") == 3
    for code in codes:
        assert code in raised.value.message
    with pytest.raises(RefusedError) as raised:
        up("capacity-not-available", "bad-parameters", "bad-parameters", **asked)
    assert [(one.get("instance_type"), one["spot"]) for one in terraform.tried] == [
        (None, True),
        ("m5.large", True),
    ], "what no other machine mends is not tried with another"


def test_without_a_fallback_the_reason_is_the_error(
    up: Callable[..., None], terraform: Refusing
) -> None:
    with pytest.raises(RefusedError, match="quota of spot vCPUs") as raised:
        up("MaxSpotInstanceCountExceeded", spot=True)
    assert "servicequotas" in (raised.value.hint or "")
    assert len(terraform.tried) == 1


def test_what_costs_more_than_was_allowed_is_not_tried(
    up: Callable[..., None], terraform: Refusing, aws: Aws
) -> None:
    spot = float(aws.hourly_price("t3.large", "us-east-1a", "spot") or 0)
    full = float(aws.hourly_price("t3.large", "us-east-1a", "on-demand") or 0)
    assert 0 < spot < full
    asked = {"spot": True, "fallback": ("m5.24xlarge", "on-demand")}
    with pytest.raises(RefusedError) as raised:
        up("capacity-not-available", max_price=full * 0.99, **asked)
    tried = [(one.get("instance_type"), one["spot"]) for one in terraform.tried]
    assert tried == [(None, True)], "neither the larger one nor on-demand"
    assert f"more than --max-price {full * 0.99:g}" in raised.value.message
    assert "A higher --max-price" in (raised.value.hint or "")


def test_a_first_machine_that_costs_too_much_is_refused_before_anything_is_made(
    up: Callable[..., None], terraform: Refusing
) -> None:
    with pytest.raises(RequestError, match=r"more than --max-price 0\.001") as raised:
        up(spot=True, max_price=0.001)
    assert "python -m wrapper offers" in (raised.value.hint or "")
    assert terraform.tried == []
    with pytest.raises(TerraformError, match="it would have worked"):
        up(spot=True, max_price=5)


def test_a_wrong_fallback_is_refused_before_anything_is_made(
    up: Callable[..., None], terraform: Refusing
) -> None:
    with pytest.raises(RequestError, match=r"t3\.lrge"):
        up(spot=True, fallback=("t3.lrge",))
    assert terraform.tried == []
