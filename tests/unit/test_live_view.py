"""`status --watch`: what is shown of a look, on a terminal and without one."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.seen import SEEN
from wrapper.cli import live as view
from wrapper.cli import main
from wrapper.deployment import live

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "words",
    [
        "running",
        "processor 75 % of 4",
        "memory 4.0 of 16.0 GiB",
        "GPU Tesla T4: 37 %, 2.0 of 15.0 GiB",
        "kernel train.ipynb: busy for 2 min",
        "kernel julia: waits for input for 2 h",
        "stops after 45 minutes without work",
        "Gone soon",
        "about $1.23 so far, $0.5000 an hour",
    ],
)
def test_a_line_tells_all_of_it(words: str) -> None:
    assert words in view.line(SEEN)


def test_a_line_of_a_silent_machine_says_how_old_its_numbers_are() -> None:
    said = view.line(dataclasses.replace(SEEN, answers=False, trouble="no route"))
    assert "does not answer: no route | what follows is of " in said


def test_the_view_says_how_old_its_numbers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    shown = view.View("moon")
    shown.now(SEEN)
    assert not any("old" in words for _, words, _ in shown.rows())
    now[0] += 130  # nothing came: whoever fills it waits for an answer
    assert any("What follows is 2 min old." in words for _, words, _ in shown.rows())


MOVING = """
import time
from tests.unit.seen import SEEN
from wrapper import deployment
from wrapper.cli import main

def forever(world, name, tell, *, every):
    try:
        while True:
            tell(SEEN)
            time.sleep(0.1)
    except KeyboardInterrupt:
        return

deployment.watch_status = forever
raise SystemExit(main(["status", "moon", "--watch"]))
"""


def test_on_a_terminal_one_view_moves_until_ctrl_c() -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", MOVING],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/", "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    text = ""
    while text.count("train.ipynb") < 3:
        text += os.read(ours, 4096).decode(errors="replace")
    child.send_signal(signal.SIGINT)
    # What it still writes is read, or it would wait for us.
    while True:
        try:
            if not os.read(ours, 4096):
                break
        except OSError:
            break
    assert child.wait() == 0
    os.close(ours)
    assert "\x1b[" in text, "nothing moved"
    assert "█" in text


def test_without_a_terminal_each_look_is_a_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def twice(_: Any, __: str, tell: Any, *, every: float) -> None:
        assert every == 0.5
        tell(SEEN)
        tell(SEEN)

    monkeypatch.setattr(live, "watch_status", twice)
    assert main(["status", "moon", "--watch", "--every", "0.5", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(one)["cpu_percent"] for one in lines] == [75.0, 75.0]
