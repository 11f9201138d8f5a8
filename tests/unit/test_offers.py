"""Offers, ranked: pure arithmetic over prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from wrapper import offers
from wrapper.aws import Kind, Needs, SpotPrice

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def kind(name: str, **other: Any) -> Kind:
    facts: dict[str, Any] = {
        "architecture": "x86_64",
        "cpus": 32,
        "memory_gib": 256.0,
        "gpus": 0,
        "gpu": None,
        "gpu_memory_gib": 0.0,
        "nitro": True,
        "spot": True,
    }
    return Kind(name=name, **facts | other)


def price(name: str, zone: str, dollars: str, since: datetime = NOON) -> SpotPrice:
    return SpotPrice(name, zone, Decimal(dollars), since)


GPU = {"gpus": 4, "gpu": "A10G", "gpu_memory_gib": 22.0}


@pytest.mark.parametrize(
    ("facts", "needs", "fits"),
    [
        ({}, Needs(256, 32), True),
        ({}, Needs(257, 32), False),
        ({}, Needs(256, 33), False),
        ({}, Needs(1, 1, gpus=1), False),
        (GPU, Needs(1, 1, gpus=4, gpu_memory_gib=22), True),
        (GPU, Needs(1, 1, gpus=5), False),
        (GPU, Needs(1, 1, gpus=1, gpu_memory_gib=24), False),
        ({"architecture": "arm64"}, Needs(1, 1), True),
        ({"architecture": "arm64"}, Needs(1, 1, architectures=("x86_64",)), False),
        ({"nitro": False}, Needs(1, 1), False),
        ({"name": "p3dn.24xlarge", **GPU}, Needs(1, 1, gpus=1), False),
        ({"name": "p3dn.24xlarge", **GPU}, Needs(1, 1), True),
    ],
    ids=[
        *("enough", "memory", "cpus", "no gpu", "gpus", "too few gpus", "small gpus"),
        *("either architecture", "the other architecture", "too old for a data volume"),
        *("gpus without an image that has their driver", "gpus that nobody asked for"),
    ],
)
def test_what_fits(facts: dict[str, Any], needs: Needs, fits: bool) -> None:
    assert offers.fits(kind(**({"name": "g5.12xlarge"} | facts)), needs) is fits


def test_a_type_is_offered_in_its_cheapest_zone_and_the_cheapest_type_first() -> None:
    kinds = {one.name: one for one in (kind("a"), kind("b"), kind("c", spot=False))}
    prices = [
        *(price("a", "x-1a", "0.3"), price("a", "x-1b", "0.2"), price("a", "x-1c", "0.25")),
        *(price("b", "x-1a", "0.1"), price("c", "x-1a", "0.01"), price("unasked", "x-1a", "0.01")),
    ]
    found = offers.ranked(offers.of_spot(kinds, "x-1", prices))
    assert [(one.instance_type, one.zone, one.hourly_price) for one in found] == [
        ("b", "x-1a", 0.1),
        ("a", "x-1b", 0.2),
    ]


def test_of_what_costs_the_same_the_larger_comes_first() -> None:
    kinds = {"small": kind("small"), "large": kind("large", memory_gib=512.0)}
    listed = {("small", "x-1"): Decimal(1), ("large", "x-1"): Decimal(1)}
    assert [one.instance_type for one in offers.ranked(offers.of_list(kinds, listed))] == [
        "large",
        "small",
    ]


def test_what_is_known_of_an_offer() -> None:
    one = offers.of_spot({"a": kind("a")}, "x-1", [price("a", "x-1a", "0.25")])[0]
    full = offers.enriched(one, on_demand=Decimal("1.0"), days=[0.2, 0.3], score=7, quota=31)
    assert (full.saving, full.days, full.placement_score) == (0.75, (0.2, 0.3), 7)
    assert full.allowed is False
    assert offers.enriched(full, on_demand=None, days=[], score=None, quota=32).allowed is True
    unknown = offers.enriched(full, on_demand=None, days=[], score=None, quota=None)
    assert (unknown.saving, unknown.allowed) == (None, None)


def test_the_nearest_lack_the_least_part_of_what_is_needed() -> None:
    kinds = [
        kind("half-the-memory", memory_gib=128.0),
        kind("all-but-two-cpus", cpus=30),
        kind("nothing", memory_gib=1.0, cpus=1),
        kind("old", nitro=False),
        kind("most-of-both", memory_gib=230.0, cpus=29),
    ]
    found = offers.nearest(kinds, Needs(256, 32))
    assert [one.name for one in found] == ["all-but-two-cpus", "most-of-both", "half-the-memory"]


def test_halving_needs_ends_at_nothing() -> None:
    needs, steps = Needs(244, 33, gpus=8, gpu_memory_gib=24), 0
    while needs.memory_gib or needs.cpus or needs.gpus:
        needs, steps = offers.halved(needs), steps + 1
    assert needs == Needs()
    assert steps == 9


def test_a_day_costs_the_mean_of_its_prices_by_their_hours() -> None:
    midnight = NOON - timedelta(hours=12)
    changes = [
        price("a", "z", "1", midnight - timedelta(days=40)),
        price("a", "z", "2", midnight + timedelta(hours=6)),
        price("a", "z", "4", midnight + timedelta(hours=18)),
    ]
    end = midnight + timedelta(days=1)
    assert offers.daily(changes, end, 2) == [1.0, (6 * 1 + 12 * 2 + 6 * 4) / 24]


def test_days_before_the_first_price_are_left_out() -> None:
    assert offers.daily([price("a", "z", "1", NOON - timedelta(hours=30))], NOON, 3) == [1.0, 1.0]
    assert offers.daily([], NOON, 3) == []


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 5, ""),
        ([1, 2, 3], 5, "▁▅█"),
        ([1, 1, 3, 3], 2, "▁█"),
        ([2, 2, 2], 5, "▄▄▄"),
        ([100, 100.2], 5, "▄▄"),
    ],
    ids=["nothing", "rising", "in pairs", "level", "hardly moved"],
)
def test_a_sparkline_shows_where_the_price_went(values: list[float], width: int, bars: str) -> None:
    assert offers.sparkline(values, width) == bars
