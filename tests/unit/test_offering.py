"""`offers`, and `up --memory`, asked of an EC2 API on this computer."""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.fleet import data_volume
from tests.unit.worlds import StandIn, bare_world
from wrapper import cli, deployment
from wrapper.aws import Needs
from wrapper.aws.model import DATA_TAG
from wrapper.deployment import market_data
from wrapper.deployment.events import Note, Warned
from wrapper.deployment.wanted import Wanted
from wrapper.errors import CloudsError, CredentialsError, RequestError, UsageError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import NO_DATA, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.aws import Kind
    from wrapper.deployment.offering import Offered

LARGE = Needs(memory_gib=700, cpus=90)
SMALL = Needs(memory_gib=20, cpus=4)
NEAREST = r"\S+ \([^)]+\); \S+ \([^)]+\); \S+ \([^)]+\)\."
"""Three of them."""
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


@contextmanager
def denied(market: Account, *actions: str) -> Iterator[None]:
    for action in actions:
        market.control.refuse(action, "denied")
    try:
        yield
    finally:
        for action in actions:
            market.control.refuse(action, None)


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
def test_a_denied_permission_costs_what_only_it_tells(  # noqa: PLR0913, PLR0917 (fixtures)
    look: Callable[..., Offered],
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
    look: Callable[..., Offered], market: Account, told: list[Any]
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
    look: Callable[..., Offered], market: Account
) -> None:
    with denied(market, "pricing:GetProducts"), pytest.raises(CredentialsError, match="GetProd"):
        look(markets="on-demand")


def test_what_was_kept_tells_its_age_by_kind(
    look: Callable[..., Offered], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--memory", "700", "--cpus", "90", "--limit", "2")
    typed(capsys, *asked)
    assert look(limit=2).ages == {}
    for one in tmp_path.rglob("jupyter-clouds/*.json"):
        kept = json.loads(one.read_text())
        kept["at"] -= 130 if " spot " in kept["question"] else 200 * 60
        one.write_text(json.dumps(kept))
    ages = look(limit=2).ages
    assert 130 <= ages["spot prices"] < 190
    assert 12_000 <= ages["on-demand prices"] < 12_100
    assert "chances" not in ages, "too old: asked anew"
    told = typed(capsys, *asked)
    assert "spot prices 2 min old" in told
    assert "on-demand prices 3 h old" in told
    (first, *_) = csv.DictReader(io.StringIO(typed(capsys, *asked, "--csv")))
    assert 130 <= int(first["price_age_seconds"]) < 190
    assert json.loads(typed(capsys, *asked, "--json"))["ages_seconds"]["spot prices"] >= 130
    assert "old" not in typed(capsys, *asked, "--refresh")


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
        (Needs(64_000, 3_200), {}, RequestError, rf"The nearest: u7{NEAREST}"),
        (Needs(16, 4, gpus=1, gpu_memory_gib=4000), {}, RequestError, rf"The nearest: {NEAREST}"),
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("offers --cpus 2 --region us-east-1 --regions us-east-2", "say one of them"),
        ("up --memory 8 --region us-east-1 --regions us-east-2", "say one of them"),
        ("up --arch arm64", "--arch is for choosing a type"),
        ("up --regions us-east-1,us-east-2", "--regions is for choosing a type"),
        ("prices notebook --region us-east-1", "--region goes with a type"),
    ],
)
@pytest.mark.usefixtures("look")
def test_what_contradicts_itself_is_no_silence(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    assert said in " ".join(capsys.readouterr().err.split())


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


@pytest.fixture
def mine(look: Callable[..., Offered]) -> Home:
    """A deployment whose environments were made on arm64; of all that fits, x86_64 is cheaper."""
    assert look(SMALL).offers[0].architecture == "x86_64"
    home = Home(root(look.world.environment) / "big")  # type: ignore[attr-defined]
    home.create()
    place = Place("aws", "us-east-1", "123456789012")
    home.remember(Record("big", place, {"instance_type": "r7g.large"}, instance_ids=("i-1",)))
    return home


def chosen_for(look: Callable[..., Offered], needs: Needs = SMALL, **more: Any) -> Kind:
    world = look.world  # type: ignore[attr-defined]
    found = deployment.settled(world, replace(wish(**more), needs=needs)).settings.instance_type
    assert found
    return market_data.MarketData(world).kinds("us-east-1", [found])[0]


def test_a_machine_that_grows_stays_on_the_architecture_of_its_environments(
    look: Callable[..., Offered], mine: Home
) -> None:
    assert chosen_for(look).architecture == "arm64"
    with pytest.raises(RequestError, match="big is arm64") as refused:
        chosen_for(look, replace(SMALL, architectures=("x86_64",)))
    assert "--fresh-data" in (refused.value.hint or "")
    fresh = Settings(spot=True, data_snapshot_id=NO_DATA)
    assert chosen_for(look, settings=fresh).architecture == "x86_64"
    assert mine.record()


def test_so_does_what_is_made_anew_from_data_that_was_kept(
    look: Callable[..., Offered], mine: Home, market: Account
) -> None:
    record = mine.record()
    assert record
    mine.end(record)
    assert chosen_for(look).architecture == "x86_64", "nothing of it is kept"
    ec2 = market.client()
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=5,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": DATA_TAG, "Value": "big"}]}],
    )["VolumeId"]
    try:
        assert chosen_for(look).architecture == "arm64"
    finally:
        ec2.delete_volume(VolumeId=volume)


def test_kept_data_tells_a_computer_that_knows_nothing_else_of_it(
    look: Callable[..., Offered], market: Account, told: list[Any]
) -> None:
    assert chosen_for(look).architecture == "x86_64"
    ec2 = market.client()
    volume = data_volume(ec2, "big", architecture="arm64")
    try:
        assert chosen_for(look).architecture == "arm64"
        assert any("arm64 only" in one.text and volume in one.text for one in told)
        with pytest.raises(RequestError, match="big is arm64"):
            chosen_for(look, replace(SMALL, architectures=("x86_64",)))
    finally:
        ec2.delete_volume(VolumeId=volume)


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
    assert "by the quota L-" in failed.value.message
    code = failed.value.message.rpartition(" ")[2].rstrip(".")
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {code} --region us-east-1 --desired-value "
    ) in (failed.value.hint or "")
    assert f"servicequotas/home/services/ec2/quotas/{code}" in (failed.value.hint or "")
