"""`prices`: a type's spot prices by zone, in words and as a picture."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scripts import price_picture
from tests.ec2 import served
from tests.unit.local_api import Clock
from wrapper import cli, plot
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account

DAY = 86400.0


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def market(clock: Clock) -> Iterator[Account]:
    with served(clock=clock) as found:
        yield found


@pytest.fixture(autouse=True)
def _computer(market: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in market.environment.items():
        monkeypatch.setenv(key, value)
    for key in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(key, str(tmp_path))


def test_every_zone_is_told_the_cheapest_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prices", "m5.large", "--days", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    now = [one["now"] for one in found["zones"]]
    assert now == sorted(now)
    assert len(now) > 3
    for one in found["zones"]:
        assert one["least"] <= one["mean"] <= one["most"] < found["on_demand_price"]
        assert len(one["days"]) == 10
        # Begun with the price at the beginning.
        assert one["changes"][0][0] == found["since"]
        assert 39 <= len(one["changes"]) <= 42


def test_a_price_that_was_set_is_the_newest(
    market: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    market.control.price("m5.xlarge", "0.0123", zone="us-east-1b")
    assert cli.main(["prices", "m5.xlarge", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["zones"][0]
    assert (first["zone"], first["now"], first["least"]) == ("us-east-1b", 0.0123, 0.0123)
    # It holds since a moment ago: the mean does not know it yet.
    assert first["mean"] > 0.03


def test_a_deployment_is_told_of_its_own_type_place_and_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(root({"XDG_DATA_HOME": str(tmp_path)}) / "mine")
    home.create()
    place = Place("aws", "eu-west-1", "123456789012")
    outputs = {"availability_zone": "eu-west-1b"}
    home.remember(Record("mine", place, {"instance_type": "c5.large"}, outputs=outputs))
    assert cli.main(["prices", "mine"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("c5.large in eu-west-1")
    assert "eu-west-1b (in use)" in told
    assert re.search(r"on-demand: \$0\.\d+ an hour; spot is \d+% below it", told)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gone"], 2, "neither a deployment"),
        (["x9.large"], 2, "no spot price of x9.large"),
        (["m5.large", "--days", "91"], 2, "91"),
        (["m5.large", "--plot", "plot.pdf"], 2, "one of .html, .png, .svg"),
        (["m5.large", "--plot", "no/such/folder/plot.png"], 1, "No such file"),
    ],
    ids=["no deployment", "no type", "too long ago", "no such picture", "no such folder"],
)
def test_what_cannot_be_told_is_said(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["prices", *words]) == code
    assert said in capsys.readouterr().err


def test_a_denied_price_list_costs_the_reference_line(
    market: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    market.control.refuse("pricing:GetProducts", "denied")
    try:
        assert cli.main(["prices", "r5.large"]) == 0
    finally:
        market.control.refuse("pricing:GetProducts", None)
    told = capsys.readouterr()
    assert "on-demand:" not in told.out
    assert "GetProducts" in told.err


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.HTML", b"<!doctype html>")],
)
def test_a_picture_shows_zones_units_and_the_reference(
    tmp_path: Path, name: str, begins: bytes
) -> None:
    assert cli.main(["prices", "m5.large", "--plot", str(tmp_path / name)]) == 0
    drawn = (tmp_path / name).read_bytes()
    assert drawn.startswith(begins)
    assert len(drawn) > 10_000


def test_a_plot_names_its_lines_axes_and_the_zone_in_use(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    times = [now - timedelta(days=9), now - timedelta(days=3)]
    series = [
        plot.Series("us-east-1a", times, [0.1, 0.2], chosen=True),
        plot.Series("us-east-1b", times, [0.2, 0.1]),
    ]
    for name in ("a.svg", "b.svg"):
        plot.draw(tmp_path / name, series, title="Of <m5>", until=now, on_demand=0.4)
    svg = (tmp_path / "a.svg").read_text()
    # Text is drawn as paths, each with what it says in a comment.
    said = set(re.findall(r"<!-- (.*?) -->", svg))
    assert {"us-east-1a (in use)", "us-east-1b", "on-demand", "US dollars an hour"} <= said
    assert "date (UTC)" in said
    assert svg == (tmp_path / "b.svg").read_text()


def test_prices_of_a_file_are_drawn_where_they_moved(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    told.write_text(json.dumps({"us-east-1a_x": [1.6, 1.6, 1.7], "eu-west-1a_x": [9.0]}))
    out = tmp_path / "a.svg"
    words = "--begin 2023-02-15T22:08:16+00:00 --step 195 --zones us-east --title T --on-demand 3"
    price_picture.main([str(told), str(out), *words.split()], standalone_mode=False)
    said = set(re.findall(r"<!-- (.*?) -->", out.read_text()))
    assert {"us-east-1a", "on-demand"} <= said
    assert "eu-west-1a" not in said
    begin = datetime(2023, 2, 15, tzinfo=UTC)
    moved = price_picture.changes([1.6, 1.6, 1.7], begin, timedelta(seconds=195))
    assert [*moved.times] == [begin, begin + timedelta(seconds=390)]
    assert [*moved.dollars] == [1.6, 1.7]


def test_without_matplotlib_the_way_to_it_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["prices", "m5.large", "--plot", str(tmp_path / "a.png")]) == 1
    assert "pip install 'jupyter-clouds[plot]'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
