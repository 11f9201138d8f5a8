"""What is tried in the place of a machine that EC2 does not have."""

from __future__ import annotations

import dataclasses
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
from wrapper.errors import RefusedError, RequestError, SettingsError, TerraformError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import Settings, check
from wrapper.settings import fallback as parsed
from wrapper.terraform import Change, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("zone", ("zone",)),
        ("zone, m5.large,on-demand", ("zone", "m5.large", "on-demand")),
        ("none", ()),
        ("", ()),
        ("zone,zone", ("zone",)),
    ],
)
def test_a_fallback_is_read(words: str, expected: tuple[str, ...]) -> None:
    assert parsed(words) == expected


@pytest.mark.parametrize("words", ["somewhere", "zone;on-demand", "spot", "M5.LARGE", "--yes"])
def test_a_word_that_is_no_fallback_is_refused(words: str) -> None:
    with pytest.raises(SettingsError, match="--fallback"):
        parsed(words)


@pytest.mark.parametrize(
    ("now", "before", "spot", "fallbacks"),
    [
        (Settings(market="auto"), {}, True, ("zone", "on-demand")),
        (Settings(market="auto", fallback=()), {}, True, ()),
        (Settings(market="auto", subnet_id="subnet-1"), {}, True, ("on-demand",)),
        (Settings(market="spot"), {}, True, ()),
        (Settings(market="on-demand", fallback=("zone", "on-demand")), {}, False, ("zone",)),
        (Settings(spot=False), {"market": "auto", "spot": True}, False, ()),
        (Settings(), {"market": "auto", "spot": True}, True, ("zone", "on-demand")),
        (Settings(market="spot"), {"spot": False}, True, ()),
    ],
)
def test_market_and_fallback_go_together(
    now: Settings, before: dict[str, Any], spot: bool, fallbacks: tuple[str, ...]
) -> None:
    found = now.over(before)
    assert (found.spot, found.fallbacks) == (spot, fallbacks)
    assert not {"market", "fallback"} & set(found.variables(name="x", generation=1))


@pytest.mark.parametrize(
    "wrong",
    [
        Settings(market="auto", spot=False),
        Settings(market="on-demand", spot=True),
        Settings(subnet_id="subnet-1", fallback=("zone",)),
    ],
    ids=["auto and on-demand", "on-demand and spot", "zone and subnet"],
)
def test_what_contradicts_itself_is_refused(wrong: Settings) -> None:
    with pytest.raises(SettingsError):
        check(wrong.over({}))


def candidates(aws: Aws, asked: Settings, **more: Any) -> list[str]:
    facts = aws.check_request(fallback.request(asked, aws.region))
    return [str(one) for one in fallback.candidates(aws, asked, facts, data=True, **more)]


def test_candidates_come_in_the_order_that_was_allowed(aws: Aws) -> None:
    asked = Settings(spot=True, fallback=("m5.large", "zone", "on-demand"))
    found = candidates(aws, asked, now="us-east-1b")
    assert found[:3] == [
        "t3.large, spot, in us-east-1b",
        "m5.large, spot, in us-east-1b",
        "t3.large, spot, in us-east-1a",
    ]
    markets = ["spot" in one for one in found]
    assert markets == sorted(markets, reverse=True), "on-demand is the last resort"
    assert "t3.large, on-demand, in us-east-1b" in found
    assert len(set(found)) == len(found)


def test_without_a_fallback_there_is_one_candidate_where_the_module_puts_it(
    aws: Aws, account: Account
) -> None:
    (found,) = candidates(aws, Settings(spot=True))
    first = min(account.client().describe_subnets()["Subnets"], key=lambda one: one["SubnetId"])
    if first["AvailabilityZone"] != "us-east-1e":  # which has no t3
        assert first["AvailabilityZone"] in found


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("t3.lrge", 'no instance type "t3.lrge"'),
        ("t3.micro", "is smaller"),
        ("m6g.large", "arm64"),
        ("t2.large", "Xen generation"),
    ],
)
def test_a_type_that_cannot_take_the_place_is_refused(aws: Aws, word: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        candidates(aws, Settings(spot=True, fallback=(word,)))


@pytest.mark.parametrize(
    ("first", "word", "reason"),
    [
        ("g4dn.xlarge", "m5.4xlarge", "has no NVIDIA GPU, g4dn.xlarge has 1 NVIDIA GPU of 16 GiB"),
        ("g4dn.12xlarge", "g4dn.16xlarge", "has 1 NVIDIA GPU of 16 GiB, .* has 4 NVIDIA GPUs"),
        ("g5.xlarge", "g4dn.xlarge", "has 1 NVIDIA GPU of 16 GiB, .* 1 NVIDIA GPU of 2"),
    ],
    ids=["none", "fewer", "smaller"],
)
def test_a_type_with_less_of_gpus_is_refused(aws: Aws, first: str, word: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        candidates(aws, Settings(spot=True, instance_type=first, fallback=(word,)))


def test_a_type_with_as_many_gpus_may_take_the_place(aws: Aws) -> None:
    asked = Settings(spot=True, instance_type="g4dn.xlarge", fallback=("g4dn.2xlarge",))
    assert [one.split(",")[0] for one in candidates(aws, asked)] == ["g4dn.xlarge", "g4dn.2xlarge"]


@pytest.mark.parametrize(
    ("code", "helped"),
    [
        ("capacity-not-available", {"zone", "type", "market"}),
        ("InsufficientInstanceCapacity", {"zone", "type", "market"}),
        ("MaxSpotInstanceCountExceeded", {"type", "market"}),
        ("VcpuLimitExceeded", {"type"}),
        ("bad-parameters", set()),
    ],
)
def test_only_what_may_help_is_tried(code: str, helped: set[str]) -> None:
    refusal = refusals.of_code(code)
    asked = fallback.Candidate(
        "t3.large", spot=code != "VcpuLimitExceeded", zone="a", subnet_id="s"
    )
    others = {
        "zone": dataclasses.replace(asked, zone="b"),
        "type": dataclasses.replace(asked, instance_type="m5.large"),
    }
    if asked.spot:
        others["market"] = dataclasses.replace(asked, spot=False)
    tried = {way for way, one in others.items() if fallback.may_help(refusal, asked, one)}
    assert tried == helped


@pytest.mark.parametrize(
    ("settings", "replace", "kept"),
    [
        ({}, False, {"instance_type": "m5.large", "spot": False, "subnet_id": "subnet-b"}),
        ({"instance_type": "c5.large"}, False, {"subnet_id": "subnet-b"}),
        ({"subnet_id": "subnet-c"}, False, {}),
        ({}, True, {"subnet_id": "subnet-b"}),
    ],
    ids=["the same", "another type", "another subnet", "another machine"],
)
def test_what_was_chosen_holds_until_another_is_asked_for(
    settings: dict[str, Any], replace: bool, kept: dict[str, Any]
) -> None:
    chosen = {"instance_type": "m5.large", "spot": False, "subnet_id": "subnet-b"}
    place = Place("aws", "us-east-1", "123456789012")
    before = Record(name="x", place=place, chosen=chosen, instance_ids=("i-1",))
    assert fallback.still_chosen(before, settings, replace=replace, data=True) == kept
    never = dataclasses.replace(before, instance_ids=())
    assert fallback.still_chosen(never, settings, replace=replace, data=False) == {}
    stays = {key: value for key, value in kept.items() if key == "subnet_id"}
    assert fallback.still_chosen(never, settings, replace=replace, data=True) == stays


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
