"""What a story tells, in words: lines where nothing can move, a bar on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wrapper.aws import Facts
from wrapper.cli.failure import fitting
from wrapper.cli.screen import Screen
from wrapper.deployment import question
from wrapper.deployment.events import BootPhase, Checked, Note, Progress, Step, Warned
from wrapper.deployment.progress import PHASES, Meter
from wrapper.home import Place, Record
from wrapper.settings import Settings
from wrapper.terraform import Applying, Change, Plan

if TYPE_CHECKING:
    from wrapper.deployment.events import Event

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Step("Planning"), "Planning\n"),
        (Note("a mirror"), "  a mirror\n"),
        (Warned("closed"), "  warning: closed\n"),
        (BootPhase("conda", "running", None), "  conda        …\n"),
        (BootPhase("conda", "done", 12.34), "  conda        done in 12.3 s\n"),
        (BootPhase("conda", "failed", 3.2), "  conda        failed in 3.2 s\n"),
        (Checked("TLS", ok=True, detail="pinned"), "  TLS          ok  pinned\n"),
        (Checked("login", ok=False, detail="refused"), "  login        FAILED  refused\n"),
        (Progress(1, 9, "Terraform makes x"), ""),
        (Progress(2, 9, "Terraform: x in 3 s", ended=True), "  [2/9] Terraform: x in 3 s\n"),
        (Progress(2, 0, "x is gone", ended=True), "  [2] x is gone\n"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_each_event_is_a_plain_line_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], event: Event, said: str
) -> None:
    with Screen() as screen:
        screen.report(event)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", said)


BAR = """
import time
from wrapper.cli.screen import Screen
from wrapper.deployment.events import Progress, Step
with Screen() as screen:
    for done in range(4):
        screen.report(Progress(done, 4, f"Terraform makes part{done}"))
        time.sleep(0.2)
    screen.report(Step("a [line] of its own"))
    screen.report(Progress(4, 4, "all", over=True))
    screen.report(Step("nothing to do"))
    time.sleep(0.5)
"""


def test_on_a_terminal_a_bar_moves_and_goes_away() -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", BAR],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:  # Linux says so at a terminal's end
            break
        if not more:
            break
        seen += more
    assert child.wait() == 0
    os.close(ours)
    text = seen.decode()
    assert "part0" in text
    assert "part3" in text
    assert "a [line] of its own" in text
    assert text.partition("nothing to do")[2].strip() == "", "a bar where nothing goes on"
    assert text.count("\r") > 4, "nothing moved"


def test_a_meter_counts_terraforms_steps_and_then_the_phases() -> None:
    told: list[Event] = []
    meter = Meter(told.append)
    meter.expect(Change("aws_eip.this", "aws_eip", "create"))
    meter.expect(Change("aws_instance.this", "aws_instance", "replace"))
    meter.terraform(Applying("aws_eip.this", "aws_eip", "create", "started"))
    meter.terraform(Applying("aws_eip.this", "aws_eip", "create", "done", "eipalloc-1", 1.0))
    meter.event(BootPhase("conda", "running", None))
    meter.event(BootPhase("conda", "done", 12.3))
    meter.event(BootPhase("settings", "done", 0.1))
    steps = [event for event in told if isinstance(event, Progress)]
    assert [(step.done, step.ended) for step in steps] == [
        (0, False),
        (1, True),
        (1, False),
        (2, True),
    ]
    assert {step.total for step in steps} == {1 + 2 + len(PHASES)}
    assert meter.seconds == {"conda": 12.3, "settings": 0.1}


RECORD = Record(
    name="gpu",
    place=Place("aws", "eu-central-1", "123456789012"),
    settings={"spot": True, "instance_type": "r7i.2xlarge"},
    outputs={"instance_id": "i-0123456789abcdef0"},
)
FACTS = Facts(architecture="x86_64", vcpus=8, memory_mib=65536, zones=("eu-central-1a",))


def test_the_question_says_what_where_for_whom_and_for_how_much() -> None:
    plan = Plan((Change("aws_eip.this", "aws_eip", "create"),))
    text = question.describe(RECORD, plan, FACTS, Decimal("0.2010"), ("8.8.8.8/32",))
    for part in (
        "gpu, in AWS account 123456789012, region eu-central-1",
        "r7i.2xlarge, spot: 8 vCPUs, 64 GiB, x86_64",
        "$0.201 an hour",
        "8.8.8.8/32",
        "1 made",
    ):
        assert part in text
    assert "is replaced" not in text


@pytest.mark.parametrize(
    ("size", "there", "gib"),
    [(None, None, 50), (None, 400, 400), (500, 400, 500), (0, None, 0), (100, None, 100)],
    ids=["a new one", "an adopted one", "one that grows", "none", "as large as was said"],
)
def test_the_question_prices_the_volume_that_there_will_be(
    size: int | None, there: int | None, gib: int
) -> None:
    record = replace(RECORD, settings={**RECORD.settings, "data_volume_size": size})
    text = question.describe(record, None, FACTS, None, (), data_gib=there)
    on_top = 0.005 + 0.0952 * (30 + gib) / 730
    assert f"on top       ${on_top:.3f} an hour" in text


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (None, "$5.19 a day, $2.60 in the 12 hours that it runs at most"),
        (100, "$5.19 a day, $21.64 in the 100 hours that it runs at most"),
        (0, "$5.19 a day\n"),
    ],
    ids=["the default's", "what was said", "without an end"],
)
def test_the_question_adds_up_a_day_and_all_its_hours(hours: float | None, told: str) -> None:
    """The machine's 0.201 an hour, and 0.0154 for 80 GiB and the address."""
    record = replace(RECORD, settings={**RECORD.settings, "max_hours": hours})
    text = question.describe(record, None, FACTS, Decimal("0.2010"), ())
    assert f"together     {told}" in f"{text}\n"
    assert "together" not in question.describe(record, None, FACTS, None, ()), "of no price"


def test_the_question_warns_of_a_disk_that_is_lost() -> None:
    plan = Plan((Change("aws_instance.this", "aws_instance", "replace", "triggered"),))
    text = question.describe(RECORD, plan, FACTS, None, ())
    assert "i-0123456789abcdef0 is replaced: what is on its disk is gone" in text
    assert "nobody" in text


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("python -m wrapper down", "python -m wrapper down gpu"),
        ("python -m wrapper down, then up.", "python -m wrapper down gpu, then up."),
        ("python -m wrapper up --replace", "python -m wrapper up gpu --replace"),
        ("python -m wrapper up with --spot", "python -m wrapper up gpu with --spot"),
        ("python -m wrapper down gpu", "python -m wrapper down gpu"),
        ("python -m wrapper up OTHER", "python -m wrapper up OTHER"),
        ("python -m wrapper local start", "python -m wrapper local start"),
        ("df -h", "df -h"),
    ],
)
def test_a_hint_names_the_deployment(
    monkeypatch: pytest.MonkeyPatch, hint: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/wrapper/__main__.py"])
    assert fitting(hint, "gpu") == expected
    assert fitting(hint, "notebook") == hint


def test_a_hint_names_the_program_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/jupyter-clouds"])
    assert fitting("python -m wrapper down", "gpu") == "jupyter-clouds down gpu"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Settings(spot=False, on_interruption="hibernate"), "--on-interruption hibernate is for"),
        (Settings(on_interruption="terminate"), "--on-interruption terminate is for spot"),
        (Settings(spot=True, on_interruption="hibernate"), None),
        (Settings(spot=False), None),
    ],
    ids=["hibernate", "terminate", "spot", "not said"],
)
def test_what_an_on_demand_machine_never_does_is_said(asked: Settings, told: str | None) -> None:
    found = question.without_effect(asked)
    assert (told in (found or "")) if told else found is None
