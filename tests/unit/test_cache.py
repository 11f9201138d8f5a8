"""Answers kept for a while."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from wrapper.cache import KEPT, Cache, directory

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_time_and_its_owner_alone(tmp_path: Path) -> None:
    clock = Clock()
    folder = directory({"XDG_CACHE_HOME": str(tmp_path)})
    cache = Cache(folder, clock=clock)
    cache.put("how much?", ["0.1"])
    clock.now += 60
    assert Cache(folder, clock=clock).get("how much?", 60) == ["0.1"]
    assert cache.get("how much?", 59) is None
    assert cache.get("how little?", 60) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/h"}, "/cache/jupyter-clouds"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/jupyter-clouds"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/jupyter-clouds"),
    ],
    ids=["named", "empty", "relative"],
)
def test_it_is_kept_where_the_specification_says(
    environment: dict[str, str], expected: str
) -> None:
    assert str(directory(environment)) == expected


def test_the_age_of_the_oldest_answer_is_known(tmp_path: Path) -> None:
    clock = Clock()
    cache = Cache(tmp_path, clock=clock)
    cache.put("first", 1)
    clock.now += 100
    cache.put("second", 2)
    cache.get("second", 1000)
    assert cache.oldest == 0
    cache.get("first", 1000)
    assert cache.oldest == 100


def test_refresh_takes_nothing_of_before_and_all_of_now(tmp_path: Path) -> None:
    clock = Clock()
    Cache(tmp_path, clock=clock).put("question", "old")
    clock.now += 1
    cache = Cache(tmp_path, refresh=True, clock=clock)
    assert cache.get("question", 60) is None
    cache.put("question", "new")
    assert cache.get("question", 60) == "new"


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", json.dumps({"question": "q", "at": "soon", "answer": 1}).encode(), b"\xff"],
    ids=["empty", "half", "a list", "no time", "no text"],
)
def test_a_broken_file_is_no_answer(tmp_path: Path, broken: bytes) -> None:
    cache = Cache(tmp_path, clock=Clock())
    cache.put("q", 1)
    next(tmp_path.iterdir()).write_bytes(broken)
    assert cache.get("q", 60) is None


def test_a_clock_that_was_put_back_makes_no_answer_of_the_future(tmp_path: Path) -> None:
    clock = Clock()
    cache = Cache(tmp_path, clock=clock)
    cache.put("q", 1)
    clock.now -= 3600
    assert cache.get("q", 60) is None


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    cache.put("q", 1)
    assert cache.get("q", 60) is None


def test_what_nobody_wants_any_more_is_swept(tmp_path: Path) -> None:
    clock = Clock()
    cache = Cache(tmp_path, clock=clock)
    cache.put("q", 1)
    clock.now = next(tmp_path.iterdir()).stat().st_mtime + KEPT - 1
    cache.sweep()
    assert len([*tmp_path.iterdir()]) == 1
    clock.now += 2
    cache.sweep()
    assert not [*tmp_path.iterdir()]
