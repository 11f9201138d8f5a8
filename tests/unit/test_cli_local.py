"""`local capacity` and `local price`: what they ask for, and what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wrapper import cli, local

NOTHING: dict[str, list[Any]] = {"capacity": [], "interruptions": [], "prices": [], "quotas": []}
RULE = {"given": False, "zone": "us-east-1a", "instance_type": None, "market": "spot"}
DECIDED = {
    "capacity": [RULE],
    "interruptions": [
        {
            "instance_id": "i-0123",
            "action": "stop",
            "at": "2026-11-23T10:11:12Z",
            "cause": "no-capacity",
            "notice": False,
        }
    ],
    "prices": [{"instance_type": "t3.large", "zone": None, "dollars": "0.05", "at": ""}],
    "quotas": [{"market": "spot", "family": "standard", "vcpus": 8}],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the door was asked; nothing behind it."""
    asked: list[Any] = []
    for name in ("capacity", "price"):
        monkeypatch.setattr(
            local, name, lambda *words, _name=name, **more: asked.append((_name, words, more))
        )
    found = local.Status(running=True, endpoint="http://127.0.0.1:1", market=DECIDED)
    monkeypatch.setattr(local, "status", lambda: found)
    return asked


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "capacity none",
            ("capacity", ("none",), {"zone": None, "instance_type": None, "market": "both"}),
            id="none at all",
        ),
        pytest.param(
            "capacity back --zone us-east-1b --type t3.large --market spot",
            (
                "capacity",
                ("back",),
                {"zone": "us-east-1b", "instance_type": "t3.large", "market": "spot"},
            ),
            id="back somewhere",
        ),
        pytest.param(
            "price t3.large --zone us-east-1a 0.05 --after 5",
            ("price", ("t3.large", "0.05"), {"zone": "us-east-1a", "after": 5.0, "at": None}),
            id="price",
        ),
        pytest.param(
            "price t3.large 0.05 --at 2026-11-01",
            ("price", ("t3.large", "0.05"), {"zone": None, "after": 120.0, "at": "2026-11-01"}),
            id="a price of the past",
        ),
    ],
)
def test_a_line_asks_for_what_it_says(line: str, expected: Any, asked: list[Any]) -> None:
    assert cli.main(["local", *line.split()]) == 0
    assert asked == [expected]


@pytest.mark.parametrize(
    "line", ["capacity", "capacity some", "capacity none --market black", "price t3.large"]
)
def test_a_line_that_makes_no_sense_is_a_usage_error(line: str, asked: list[Any]) -> None:
    assert cli.main(["local", *line.split()]) == 2
    assert asked == []


def test_what_was_decided_is_told_in_words_and_in_json(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    del asked
    cli.main(["local", "status"])
    said = capsys.readouterr().out
    for line in (
        "capacity   none: every type, us-east-1a, spot",
        "price      t3.large, every zone: 0.05 $/h",
        "quota      spot, standard: 8 vCPUs",
        "interrupts i-0123: stop at 2026-11-23T10:11:12Z, without notice",
    ):
        assert line in said.splitlines()

    cli.main(["local", "capacity", "none", "--json"])
    assert json.loads(capsys.readouterr().out) == DECIDED


def test_time_is_put_forward(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def put(**how: Any) -> dict[str, Any]:
        asked.append(how)
        return {"now": "2026-11-23T10:11:12Z", "ahead": 3600.0, "speed": 60.0}

    monkeypatch.setattr(local, "clock", put)

    assert cli.main(["local", "clock", "--skip", "3600", "--speed", "60"]) == 0

    assert asked == [{"skip": 3600.0, "speed": 60.0}]
    assert capsys.readouterr().out == "2026-11-23T10:11:12Z, 3600 s ahead, 60 times as fast\n"
    assert cli.main(["local", "clock", "--speed", "0"]) == 2


def test_a_market_left_alone_is_said_to_be(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del asked
    monkeypatch.setattr(local, "status", lambda: local.Status(running=True, market=NOTHING))

    cli.main(["local", "capacity", "back"])

    assert capsys.readouterr().out == "capacity   all of it\n"
