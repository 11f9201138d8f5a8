"""What the command line prints of what there is: words, tables and documents."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.told import ANSWERS, AUTOSTOP, Calls, calls
from wrapper import cli, deployment
from wrapper.deployment.baking import Baked

__all__ = ["calls"]  # a fixture, for pytest to find here

UP_FIELDS = {
    "name",
    "url",
    "state",
    "region",
    "zone",
    "instance_id",
    "instance_type",
    "market",
    "certificate_sha256",
    "key_sha256",
    "data_volume_id",
    "hourly_price",
    "seconds",
}


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ("up --yes --json", UP_FIELDS),
        ("status --json", UP_FIELDS | {"phases", "environment", "disk"}),
        ("check --json", UP_FIELDS | {"checks"}),
        ("status --console --json", {"name", "console"}),
        ("password --json", {"name", "password"}),
        ("password --new --generate-password --json", {"name", "password"}),
        ("allow --json", {"name", "allowed_cidrs", "changed"}),
        ("down --yes --json", {"name", "ended", "removed", "left", "kept"}),
        ("snapshot --json", {"name", "snapshot", "shows"}),
        ("snapshots --json", {"name", "region", "snapshots", "volumes", "monthly_price"}),
        ("configure --generate-password --json", {"file", "allowed_cidrs", "password"}),
    ],
)
def test_json_is_one_document_on_stdout_and_all_else_on_stderr(
    calls: Calls, capsys: pytest.CaptureFixture[str], typed: str, fields: set[str]
) -> None:
    assert cli.main(typed.split()) == 0
    assert calls
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)) >= fields
    assert "a note" in captured.err


def test_the_list_is_one_document_too(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--json"]) == 0
    assert calls
    assert json.loads(capsys.readouterr().out)[0]["name"] == "notebook"


def test_the_list_ends_with_what_all_of_it_costs(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list"]) == 0
    assert calls
    row, total = capsys.readouterr().out.splitlines()
    assert " $10.05 a month " in row
    assert "about $10.05 a month (list prices of us-east-1)" in total


def test_cost_is_a_table_with_its_assumptions(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cost", "gpu"]) == 0
    said = capsys.readouterr().out
    assert "gpu, us-east-1, 2026-11-01 00:00 to 2026-11-08 00:00 UTC: about $3.59" in said
    assert "12.50 hours" in said
    assert said.endswith("Assumed:\n  Disks: gp3.\n")
    assert cli.main(["cost", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["total"], document["notebooks"][0]["hours"]) == (3.59, 12.5)
    assert len(calls) == 2


def test_check_says_each_on_a_line_of_its_own(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check"]) == 0
    assert calls
    assert "TLS          ok" in capsys.readouterr().out


def test_the_snapshots_are_a_table_with_what_they_cost(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["snapshots", "--delete", "vol-1", "--yes"]) == 0
    assert [name for name, _, _ in calls] == ["delete_kept", "snapshots"]
    volume, snapshot, total = capsys.readouterr().out.splitlines()
    assert "kept volume" in volume
    assert snapshot.split() == [
        "snap-0123456789abcdef0",
        "2026-11-20",
        "10:00",
        *("50", "GiB", "final", "completed", "$2.50"),
    ]
    assert total.startswith("about $5.00 a month at most")


def test_images_are_told_with_age_size_and_what_they_cost(
    calls: Calls, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {
        "name": "gpu",
        "id": "ami-1",
        "image": "gpu-1",
        "region": "us-east-1",
        "base": "ubuntu",
        "state": "available",
        "architecture": "x86_64",
        "environment": "",
        "programs": "",
        "packages": "python=3.12",
    }
    old = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat(timespec="seconds")
    new = (datetime.now(UTC) - timedelta(hours=2, minutes=1)).isoformat(timespec="seconds")
    found = [Baked(**said, gib=30, when=when, monthly_price=1.5) for when in (new, old)]
    monkeypatch.setattr(deployment, "images", lambda *_, **__: found)
    assert cli.main(["images"]) == 0
    assert calls == []
    first, _, second, _, total = capsys.readouterr().out.splitlines()
    for line, age in ((first, "2 hours"), (second, "3 days")):
        assert age in line
        assert "30 GiB" in line
        assert "$1.50" in line
    assert total.startswith("about $3.00 a month at most")


def test_a_budget_is_told_as_an_alert_that_comes_late(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["budget", "gpu", "--monthly", "50"]) == 0
    assert calls
    told = capsys.readouterr().out
    assert "A budget of $50.00 a month for gpu" in told
    assert "hours old: an alert, not a guard" in told


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, ["work          none since ", "stops         at ", " if nothing begins, at "]),
        (
            {"busy": ("cell of a.ipynb", "processor 100%"), "idle_since": None}
            | {"idle_stops_at": None, "ends_at": None},
            ["work          cell of a.ipynb, processor 100%", "after 45 minutes without work\n"],
        ),
        (
            {"idle_minutes": 0, "idle_stops_at": None, "ends_at": None},
            ["stops         never by itself\n"],
        ),
        ({"stopping": "idle"}, ["stops         now: all is being saved, "]),
    ],
    ids=["idle", "busy", "never", "stopping"],
)
def test_status_tells_when_the_machine_stops_by_itself(
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    known: dict[str, Any],
    said: list[str],
) -> None:
    now = replace(ANSWERS["status"], autostop=replace(AUTOSTOP, **known))
    monkeypatch.setitem(ANSWERS, "status", now)
    assert cli.main(["status"]) == 0
    assert calls
    shown = capsys.readouterr().out
    assert not [one for one in said if one not in shown], shown


@pytest.mark.parametrize(
    ("state", "taken", "command"),
    [
        pytest.param("running", False, None, id="running"),
        pytest.param("stopped", False, " start gpu", id="stopped"),
        pytest.param("stopped", True, " up gpu --watch", id="taken by EC2"),
        pytest.param("terminated", False, " up gpu: ", id="terminated"),
        pytest.param("absent", False, " up gpu", id="absent"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_status_tells_the_next_command_where_no_machine_runs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
    taken: bool,
    command: str | None,
) -> None:
    told_of = replace(ANSWERS["status"], name="gpu", state=state, waits_for_ec2=taken)
    monkeypatch.setitem(ANSWERS, "status", told_of)
    assert cli.main(["status"]) == 0
    told = [one for one in capsys.readouterr().out.splitlines() if one.startswith("next")]
    assert len(told) == (command is not None)
    assert not told or (command or "") in told[0]
