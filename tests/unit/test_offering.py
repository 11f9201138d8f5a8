"""`offers`, asked of an EC2 API on this computer."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.looking import LARGE, TWO, Look, denied, look, market, told
from wrapper import cli
from wrapper.aws import Needs
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError, CredentialsError, RequestError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ec2 import Account

__all__ = ["look", "market", "told"]  # fixtures, for pytest to find here

NEAREST = r"\S+ \([^)]+\); \S+ \([^)]+\); \S+ \([^)]+\)\."
"""Three of them."""


def test_what_fits_is_ranked_over_regions_with_all_that_is_known(
    look: Look, told: list[Any]
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


def test_the_price_is_that_of_the_cheapest_zone_now(look: Look, market: Account) -> None:
    market.control.price("r5.24xlarge", "0.001", zone="us-east-1c")
    best = look().offers[0]
    assert (best.instance_type, best.zone) == ("r5.24xlarge", "us-east-1c")
    assert best.hourly_price == 0.001


def test_answers_are_kept_until_they_are_refreshed(look: Look, market: Account) -> None:
    before = look().offers[0].instance_type
    market.control.price("r5a.24xlarge", "0.0005", zone="us-east-1a")
    assert look().offers[0].instance_type == before
    assert look(refresh=True).offers[0].instance_type == "r5a.24xlarge"
    assert look().offers[0].instance_type == "r5a.24xlarge"


def test_kept_answers_need_nobody(look: Look, market: Account) -> None:
    before = look(regions=("all",), needs=Needs(1000, 64, gpus=8)).offers[0]
    unanswered = (
        *("ec2:DescribeRegions", "ec2:DescribeSpotPriceHistory", "pricing:GetProducts"),
        *("ec2:DescribeInstanceTypes", "ec2:GetInstanceTypesFromInstanceRequirements"),
    )
    with denied(market, *unanswered):
        found = look(regions=("all",), needs=Needs(1000, 64, gpus=8)).offers[0]
    assert replace(found, days=()) == replace(before, days=())


def test_what_was_kept_tells_its_age_by_kind(
    look: Look, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


def test_without_prices_there_is_no_offer(look: Look, market: Account) -> None:
    market.control.refuse("ec2:DescribeSpotPriceHistory", "denied")
    try:
        with pytest.raises(CredentialsError, match="DescribeSpotPriceHistory"):
            look()
    finally:
        market.control.refuse("ec2:DescribeSpotPriceHistory", None)


def test_throttling_is_waited_out(look: Look, market: Account) -> None:
    for action in ("ec2:DescribeSpotPriceHistory", "pricing:GetProducts"):
        market.control.refuse(action, "throttled", times=2)
    found = look(limit=2, needs=Needs(700, 100)).offers
    assert all(one.on_demand_price and one.days for one in found)


def test_on_demand_is_ranked_by_the_price_list(look: Look) -> None:
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
    look: Look,
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
