"""How long a machine may run: what is taken, what is asked about, what is said."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from wrapper import hours, settings
from wrapper.errors import SettingsError
from wrapper.settings import Settings


@pytest.mark.parametrize("given", [0, 0.1, 0.5, 12, 720, 721, 8784, None])
def test_hours_that_are_taken(given: float | None) -> None:
    assert settings.check(Settings(max_hours=given)).max_hours == given


@pytest.mark.parametrize("given", [-1, 0.01, 8785, float("nan"), float("inf"), float("-inf")])
def test_hours_that_are_refused(given: float) -> None:
    with pytest.raises(SettingsError, match=r"--hours .*from 0.1 to 8784 hours, or 0 for no limit"):
        settings.check(Settings(max_hours=given))


def test_to_add_nothing_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"extend 0: from 0\.1"):
        hours.check_hours(0, option="extend", none=False)


@pytest.mark.parametrize("given", [0, 1, 1.5, 45, 44640, None])
def test_minutes_that_are_taken(given: float | None) -> None:
    assert settings.check(Settings(idle_minutes=given)).idle_minutes == given


@pytest.mark.parametrize("given", [-45, 0.5, 44641, float("nan"), float("inf")])
def test_minutes_that_are_refused(given: float) -> None:
    with pytest.raises(SettingsError, match=r"--idle .*from 1 to 44640 minutes, or 0 for never"):
        settings.check(Settings(idle_minutes=given))


def test_the_module_is_told_no_more_than_it_takes() -> None:
    assert Settings(max_hours=1000).variables(name="x", generation=1)["max_hours"] == 720
    assert Settings(max_hours=0).variables(name="x", generation=1)["max_hours"] == 0
    assert "max_hours" not in Settings().variables(name="x", generation=1)


def test_the_defaults_are_the_modules() -> None:
    text = (Path(__file__).resolve().parents[2] / "variables.tf").read_text()
    found = {
        name: float(default)
        for name, default in re.findall(
            r'variable "(idle_minutes|max_hours)" \{.*?default +=\s(\d+)', text, re.DOTALL
        )
    }
    assert found == {"idle_minutes": hours.IDLE_MINUTES, "max_hours": hours.MAX_HOURS}


@pytest.mark.parametrize(
    ("minutes", "limit", "said"),
    [
        (45, 12, "after 45 minutes without work, after 12 hours in any case"),
        (45, 0, "after 45 minutes without work"),
        (0, 1.5, "after 1.5 hours"),
        (0, 0, "never by itself"),
    ],
)
def test_when_it_stops_is_said_in_words(minutes: float, limit: float, said: str) -> None:
    assert hours.in_words(minutes, limit) == said


def test_a_moment_of_another_day_says_which() -> None:
    here = dt.datetime.now(dt.UTC).astimezone().tzinfo
    noon = dt.datetime(2026, 11, 23, 12, 0, tzinfo=here)
    instant = noon.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert hours.moment(instant, now=noon) == "12:00"
    assert hours.moment(instant, now=noon - dt.timedelta(days=1)) == "Mon 23 Nov 12:00"
