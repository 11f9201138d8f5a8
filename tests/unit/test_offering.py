"""`offers`, and `up --memory`, asked of an EC2 API on this computer."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.worlds import StandIn, bare_world
from wrapper import cli, deployment
from wrapper.aws import Needs
from wrapper.deployment.events import Note, Warned
from wrapper.deployment.wanted import Wanted
from wrapper.errors import CloudsError, CredentialsError, RequestError, UsageError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.offering import Offered

LARGE = Needs(memory_gib=700, cpus=90)
TWO = ("us-east-1", "eu-west-1")


@pytest.fixture(scope="module")
def market() -> Iterator[Account]:
    """An account whose market these tests move."""
    with served() as found:
        yield found


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def look(
    market: Account, tmp_path: Path, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Offered]:
    """Asks for offers, as with an account of AWS's; nothing is kept from before."""
    for key, value in market.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    world = bare_world(tmp_path, market, StandIn(), told)
    world = replace(world, environment={**world.environment, **market.environment})

    def ask(needs: Needs = LARGE, *, refresh: bool = False, **looking: Any) -> Offered:
        wanted = deployment.Looking(needs=needs, **looking)
        return deployment.offers(world, wanted, refresh=refresh)

    ask.world = world  # type: ignore[attr-defined]
    return ask


def test_what_fits_is_ranked_over_regions_with_all_that_is_known(
    look: Callable[..., Offered], told: list[Any]
) -> None:
    found = look(regions=TWO, limit=30)
    prices = [one.hourly_price for one in found.offers]
    assert prices == sorted(prices)
    assert {*found.regions} == {*TWO}
    assert found.found > 100
    assert len({(one.instance_type, one.region) for one in found.offers}) == 30
    for one in found.offers:
        assert (one.memory_gib >= 700, one.cpus >= 90, one.market) == (True, True, "spot")
        assert one.zone
        assert one.zone.startswith(one.region)
        assert one.on_demand_price
        assert 0.3 < one.hourly_price / one.on_demand_price < 0.6
        assert one.saving == pytest.approx(1 - one.hourly_price / one.on_demand_price)
        assert len(one.days) == 30
    assert False not in {one.allowed for one in found.offers}
    assert any(one.placement_score for one in found.offers)
    assert not [one for one in told if isinstance(one, Warned)]


def test_the_price_is_that_of_the_cheapest_zone_now(
    look: Callable[..., Offered], market: Account
) -> None:
    market.control.price("r5.24xlarge", "0.001", zone="us-east-1c")
    best = look().offers[0]
    assert (best.instance_type, best.zone) == ("r5.24xlarge", "us-east-1c")
    assert best.hourly_price == 0.001


def test_answers_are_kept_until_they_are_refreshed(
    look: Callable[..., Offered], market: Account
) -> None:
    before = look().offers[0].instance_type
    market.control.price("r5a.24xlarge", "0.0005", zone="us-east-1a")
    assert look().offers[0].instance_type == before
    assert look(refresh=True).offers[0].instance_type == "r5a.24xlarge"
    assert look().offers[0].instance_type == "r5a.24xlarge"


def test_kept_answers_need_nobody(look: Callable[..., Offered], market: Account) -> None:
    before = look(regions=("all",), needs=Needs(1000, 64, gpus=8)).offers[0]
    for action in (
        *("ec2:DescribeRegions", "ec2:DescribeSpotPriceHistory", "pricing:GetProducts"),
        *("ec2:DescribeInstanceTypes", "ec2:GetInstanceTypesFromInstanceRequirements"),
    ):
        market.control.refuse(action, "denied")
    try:
        found = look(regions=("all",), needs=Needs(1000, 64, gpus=8)).offers[0]
        assert replace(found, days=()) == replace(before, days=())
    finally:
        for action in (
            *("ec2:DescribeRegions", "ec2:DescribeSpotPriceHistory", "pricing:GetProducts"),
            *("ec2:DescribeInstanceTypes", "ec2:GetInstanceTypesFromInstanceRequirements"),
        ):
            market.control.refuse(action, None)


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
    look: Callable[..., Offered], market: Account, told: list[Any], action: str, lacking: str
) -> None:
    market.control.refuse(action, "denied")
    try:
        found = look(limit=3).offers
    finally:
        market.control.refuse(action, None)
    assert [getattr(one, lacking) for one in found] == [None] * 3
    assert all(one.hourly_price for one in found)
    warned = [one.text for one in told if isinstance(one, Warned)]
    assert len(warned) == 1
    assert action.partition(":")[2] in warned[0]


def test_without_prices_there_is_no_offer(look: Callable[..., Offered], market: Account) -> None:
    market.control.refuse("ec2:DescribeSpotPriceHistory", "denied")
    try:
        with pytest.raises(CredentialsError, match="DescribeSpotPriceHistory"):
            look()
    finally:
        market.control.refuse("ec2:DescribeSpotPriceHistory", None)


def test_throttling_is_waited_out(look: Callable[..., Offered], market: Account) -> None:
    for action in ("ec2:DescribeSpotPriceHistory", "pricing:GetProducts"):
        market.control.refuse(action, "throttled", times=2)
    found = look(limit=2, needs=Needs(700, 100)).offers
    assert all(one.on_demand_price and one.days for one in found)


def test_on_demand_is_ranked_by_the_price_list(look: Callable[..., Offered]) -> None:
    found = look(markets="both", needs=Needs(16, 4, gpus=1), limit=500).offers
    of_list = [one for one in found if one.market == "on-demand"]
    assert of_list
    for one in of_list:
        assert (one.zone, one.saving, one.hourly_price) == (None, None, one.on_demand_price)
        assert one.gpus >= 1


@pytest.mark.parametrize(
    ("needs", "looking", "kind", "said"),
    [
        (Needs(64_000, 3_200), {}, RequestError, "The nearest: u7"),
        (Needs(16, 4, gpus=1, gpu_memory_gib=4000), {}, RequestError, "The nearest: "),
        (LARGE, {"max_price": 0.0001}, RequestError, "costs .* or less: the cheapest is"),
        (LARGE, {"regions": ("eu-west-1", "mars-1")}, UsageError, "account can use: mars-1"),
        (LARGE, {"regions": ("me-south-1",)}, UsageError, "account can use: me-south-1"),
    ],
    ids=["too large", "too large a gpu", "too dear", "no region", "a region not enabled"],
)
def test_what_cannot_be_had_is_said_with_what_could(
    look: Callable[..., Offered],
    needs: Needs,
    looking: dict[str, Any],
    kind: type[CloudsError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said) as failed:
        look(needs, **looking)
    assert failed.value.hint


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["offers", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("look")
def test_the_command_line_tells_a_table_json_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--memory", "700", "--cpus", "90", "--limit", "4")
    table = typed(capsys, *asked)
    assert table.split()[:3] == ["type", "place", "memory"]
    assert len(table.strip().splitlines()) == 1 + 4 + 2
    document = json.loads(typed(capsys, *asked, "--json"))
    assert len(document["offers"]) == 4
    assert document["regions"] == ["us-east-1"]
    rows = [*csv.DictReader(io.StringIO(typed(capsys, *asked, "--csv")))]
    assert [one["instance_type"] for one in rows] == [
        one["instance_type"] for one in document["offers"]
    ]


@pytest.mark.parametrize(
    "words",
    [(), ("--max-price", "1"), ("--cpus", "0"), ("--memory", "8", "--csv", "--json")],
    ids=["nothing", "only a price", "no cpus", "two answers"],
)
@pytest.mark.usefixtures("look")
def test_a_wish_that_makes_no_sense_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert cli.main(["offers", *words]) == 2


def wish(**more: Any) -> Wanted:
    settings = more.pop("settings", Settings(spot=True))
    return Wanted(name="big", settings=settings, new_password=str, needs=LARGE, **more)


def test_up_takes_the_best_offer_and_says_why(
    look: Callable[..., Offered], told: list[Any]
) -> None:
    best = look(regions=TWO).offers[0]
    found = deployment.settled(look.world, wish(regions=TWO))  # type: ignore[attr-defined]
    assert found.settings.instance_type == best.instance_type
    assert (found.region, found.zone) == (best.region, best.zone)
    why = [one.text for one in told if isinstance(one, Note)][-1]
    assert best.instance_type in why
    assert "cheapest of" in why


def test_a_named_type_rules(look: Callable[..., Offered]) -> None:
    wanted = wish(settings=Settings(instance_type="t3.large"))
    assert deployment.settled(look.world, wanted) == wanted  # type: ignore[attr-defined]


def test_a_machine_that_has_enough_keeps_its_type_whatever_is_cheaper_now(
    look: Callable[..., Offered], told: list[Any]
) -> None:
    world = look.world  # type: ignore[attr-defined]
    home = Home(root(world.environment) / "big")
    home.create()
    place = Place("aws", "us-east-1", "123456789012")
    home.remember(Record("big", place, {"instance_type": "r5.24xlarge", "spot": True}))
    assert deployment.settled(world, wish()).settings.instance_type == "r5.24xlarge"
    assert "it stays" in told[-1].text
    home.remember(Record("big", place, {"instance_type": "r5.large", "spot": True}))
    chosen = deployment.settled(world, wish(regions=("eu-west-1",)))
    assert chosen.settings.instance_type not in (None, "r5.large")
    # Its data does not leave the region by itself.
    assert chosen.region == "us-east-1"


def test_what_no_quota_allows_is_refused_with_the_way_to_more(
    look: Callable[..., Offered], market: Account
) -> None:
    for family in ("standard", "g-and-vt", "p", "x"):
        market.control.quota("spot", 0, family=family)
    try:
        with pytest.raises(RequestError, match="may run 0 of its family") as failed:
            deployment.settled(look.world, wish())  # type: ignore[attr-defined]
    finally:
        for family in ("standard", "g-and-vt", "p", "x"):
            market.control.quota("spot", None, family=family)
    assert "servicequotas" in (failed.value.hint or "")
