"""A message on the desktop: by what this computer has, with words that are never a program."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.seen import SEEN
from wrapper import desktop
from wrapper.cli import news
from wrapper.deployment.events import News, Note

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.notebook import Autostop

WORDS = "-x $(touch y) \"moon\" is 'stopped'"


@pytest.mark.parametrize("name", ["notify-send", "osascript"])
def test_the_words_arrive_as_they_are(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    assert desktop.tell(WORDS, {"PATH": str(tmp_path)})
    said = (tmp_path / "said").read_text().splitlines()
    assert WORDS in said
    if name == "notify-send":
        assert said.index("--") < said.index(WORDS)


@pytest.mark.parametrize("script", ["exit 1", "exec /bin/sleep 60", None])
def test_no_desktop_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    monkeypatch.setattr(desktop, "_WITHIN", 0.2)
    if script:
        program = tmp_path / "notify-send"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    assert not desktop.tell(WORDS, {"PATH": str(tmp_path)})


def test_only_news_go_to_the_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    shown: list[str] = []
    monkeypatch.setattr(desktop, "tell", lambda text, _: shown.append(text))
    report = news.also_on_the_desktop(told.append)
    report(Note("a file went"))
    report(News("moon was taken away"))
    assert told == [Note("a file went"), News("moon was taken away")]
    assert shown == ["moon was taken away"]


def busy(*with_what: str) -> Autostop:
    assert SEEN.autostop
    return dataclasses.replace(SEEN.autostop, busy=with_what)


def test_a_watch_tells_each_difference_once() -> None:
    quiet = dataclasses.replace(SEEN, notice=None)
    stopped = dataclasses.replace(quiet, state="stopped", answers=False)
    runs = dataclasses.replace(quiet, autostop=busy("run train", "a tab"))
    alone = dataclasses.replace(quiet, autostop=busy("a tab"))
    differences = news.Differences()
    looks = [quiet, quiet, SEEN, SEEN, stopped, stopped, quiet, runs, runs, alone, alone]
    told = [differences.between(one, one.notice or "") for one in looks]
    assert told == [
        [],
        [],
        ["moon: Gone soon"],
        [],
        ["moon is stopped."],
        [],
        ["moon answers again."],
        [],
        [],
        ["moon: run train has ended."],
        [],
    ]


def test_the_end_of_runs_is_told_when_it_is_known() -> None:
    many = [f"run {number}" for number in range(9)]
    runs = dataclasses.replace(SEEN, autostop=busy(*many))
    silent = dataclasses.replace(runs, answers=False)
    unknown = dataclasses.replace(SEEN, autostop=None)
    over = dataclasses.replace(SEEN, autostop=busy("a tab"))
    differences = news.Differences()
    told = [differences.between(one, "") for one in (runs, silent, unknown, over, over)]
    assert told == [[], [], [], [f"moon: {one} has ended." for one in many], []]
