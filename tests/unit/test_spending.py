"""What running and keeping costs, reckoned; and moments of the past, as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from wrapper import since, spending
from wrapper.errors import UsageError
from wrapper.spending import Change, Keeping, Moment, Run

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=10)
CHANGES = [
    Change(NOON - timedelta(hours=3), Decimal("0.10")),
    Change(NOON + timedelta(minutes=30), Decimal("0.20")),
    Change(NOON + timedelta(minutes=90), Decimal("0.40")),
]


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def dollars(run: Run, *, spot: bool = True, **bounds: datetime) -> float:
    within = {"since": NOON - timedelta(days=1), "until": LATER} | bounds
    found = spending.machine(run, CHANGES, spot=spot, **within)
    assert found is not None
    return round(float(found), 6)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(Run("i", NOON, after(30)), 0.05, id="by the second"),
        pytest.param(Run("i", NOON, after(60)), 0.10, id="a change within the hour waits"),
        pytest.param(
            Run("i", NOON, after(120)), 0.30, id="each hour at the price of its beginning"
        ),
        pytest.param(Run("i", NOON, after(150)), 0.50, id="and the last one by the second"),
        pytest.param(Run("i", NOON, after(0.2)), round(0.10 / 60, 6), id="a minute at least"),
        pytest.param(Run("i", NOON, after(59), interrupted=True), 0, id="taken in its first hour"),
        pytest.param(Run("i", NOON, after(90), interrupted=True), 0.20, id="taken after it"),
        pytest.param(Run("i", after(-600), after(-570)), 0.05, id="before all prices: the first"),
    ],
)
def test_a_spot_machine_pays_by_the_hour_of_its_run(run: Run, expected: float) -> None:
    assert dollars(run) == expected


def test_only_what_is_within_the_bounds_counts() -> None:
    run = Run("i", NOON, after(150))
    assert dollars(run, since=after(60), until=after(90)) == 0.10
    assert dollars(Run("i", NOON), until=after(60)) == 0.10, "one that still runs"


def test_an_interruption_frees_no_on_demand_machine() -> None:
    assert dollars(Run("i", NOON, after(30), interrupted=True), spot=False) == 0.05


def test_without_any_price_there_is_no_sum() -> None:
    run = Run("i", NOON, after(30))
    assert spending.machine(run, [], spot=True, since=NOON, until=LATER) is None


@pytest.mark.parametrize(
    ("told", "found"),
    [
        pytest.param(
            [("started", 0), ("started", 0.02), ("stopped", 60), ("stopped", 60.5)],
            [Run("i", NOON, after(60))],
            id="two sources tell of one run",
        ),
        pytest.param(
            [("started", 0), ("stopped", 10), ("started", 20)],
            [Run("i", NOON, after(10)), Run("i", after(20))],
            id="it runs again",
        ),
        pytest.param(
            [("started", 0), ("started", 600)],
            [Run("i", NOON, after(600), unsure=True), Run("i", after(600))],
            id="nobody saw the end",
        ),
        pytest.param(
            [("started", 0), ("interrupted", 30), ("stopped", 30.5)],
            [Run("i", NOON, after(30), interrupted=True)],
            id="EC2 took it",
        ),
        pytest.param(
            [("started", 0), ("stopped", 30), ("interrupted", 30.5)],
            [Run("i", NOON, after(30), interrupted=True)],
            id="EC2 took it, said later",
        ),
        pytest.param([("stopped", 0)], [], id="an end alone is no run"),
    ],
)
def test_runs_are_put_together_from_what_was_seen(
    told: list[tuple[str, float]], found: list[Run]
) -> None:
    moments = [Moment(after(at), what, "i") for what, at in told]  # type: ignore[arg-type] # literals
    assert spending.runs(reversed(moments)) == found


def test_machines_do_not_end_each_others_runs() -> None:
    moments = [Moment(NOON, "started", "i-1"), Moment(after(5), "started", "i-2")]
    assert spending.runs([*moments, Moment(after(9), "stopped", "i-2")]) == [
        Run("i-1", NOON),
        Run("i-2", after(5), after(9)),
    ]


def test_ages_are_told_the_youngest_first_and_none_of_this_minute() -> None:
    told = since.ages({"types": 7 * 3600, "spot prices": 125, "chances": 7100, "quotas": 59})
    assert told == "spot prices 2 min old, chances 118 min old, types 7 h old"
    assert since.ages({}) == ""


def test_what_is_kept_costs_for_the_time_that_it_is_there() -> None:
    disk = Keeping("volume", "vol-1", 100, NOON, NOON + timedelta(hours=73))
    bounds = {"since": NOON - timedelta(days=9), "until": LATER}
    assert float(spending.keeping(disk, 8.0, **bounds)) == pytest.approx(0.8)
    bounds["since"] = NOON + timedelta(hours=36.5)
    assert float(spending.keeping(disk, 8.0, **bounds)) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7d", NOON - timedelta(days=7)),
        ("12h", NOON - timedelta(hours=12)),
        ("2w", NOON - timedelta(days=14)),
        ("2026-10-01T00:00:00+02:00", datetime(2026, 9, 30, 22, tzinfo=UTC)),
    ],
)
def test_a_moment_of_the_past_is_understood(text: str, found: datetime) -> None:
    assert since.parse(text, now=NOON) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yesterday", "neither a date nor a time span"),
        ("-3d", "neither a date nor a time span"),
        ("2026-11-30", "in the future"),
        ("0026-11-01", "no EC2 then"),
    ],
)
def test_what_is_no_moment_of_the_past_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        since.parse(text, now=NOON)
    assert "--since 7d" in (raised.value.hint or "")
