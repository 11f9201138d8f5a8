"""What the command line prints: words, tables and documents, and the exit code at the end."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.told import (
    ANSWERS,
    AUTOSTOP,
    FACTS,
    SNAPSHOT,
    VOLUME,
    Calls,
    calls,
)
from wrapper import cli, deployment, doctor, errors, unison
from wrapper.deployment.baking import Baked
from wrapper.deployment.take_down import Down, Wish
from wrapper.doctor import Finding

__all__ = ["calls"]  # a fixture, for pytest to find here

ROOT = Path(__file__).resolve().parents[2]

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


def test_up_ends_with_all_that_one_needs(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "gpu", "--yes"]) == 0
    assert calls
    said = capsys.readouterr().out
    for part in (
        "https://198.18.0.10:9999/",
        ":".join(["AB"] * 32),
        "$0.0312 an hour",
        "password gpu",
        "down gpu",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("sync", "ends"),
    [
        (unison.Outcome(changed=("a",)), errors.ExitCode.DONE),
        (unison.Outcome(conflicts=("a",)), errors.ExitCode.FAILED),
        (errors.NoAnswerError("ssh: refused"), errors.ExitCode.FAILED),
        (errors.DiskError("A disk is full"), errors.ExitCode.FAILED),
        (errors.SettingsError("a home directory"), errors.ExitCode.FAILED),
        (errors.Interrupted("Ctrl-C"), errors.ExitCode.INTERRUPTED),
    ],
    ids=["done", "conflict", "unreached", "full", "refused late", "interrupted"],
)
def test_up_tells_of_a_machine_to_which_not_everything_could_be_brought(
    sync: Any,
    ends: int,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stand_in(*_: object) -> unison.Outcome:
        if isinstance(sync, Exception):
            raise sync
        assert isinstance(sync, unison.Outcome)
        return sync

    monkeypatch.setattr(deployment, "sync", stand_in)
    assert cli.main(["up", "--yes", "--json", "--sync", "."]) == ends
    assert calls[0][0] == "up"
    document = json.loads(capsys.readouterr().out)
    assert document["instance_id"] == FACTS["instance_id"]
    assert document.get("exit_code", 0) == ends
    failed = ends == errors.ExitCode.FAILED
    assert ("not everything is on it" in document.get("error", "")) is failed


def test_up_tells_of_a_machine_that_lacks_its_packages(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = deployment.up

    def lacking(*given: Any, **more: Any) -> None:
        answered(*given, **more)
        raise errors.FailedError("environment.yml could not be installed")

    monkeypatch.setattr(deployment, "up", lacking)
    assert cli.main(["up", "--yes", "--json"]) == errors.ExitCode.FAILED
    assert calls
    document = json.loads(capsys.readouterr().out)
    assert document["instance_id"] == FACTS["instance_id"]
    assert document["exit_code"] == errors.ExitCode.FAILED


@pytest.mark.parametrize(
    ("typed", "conflict", "ours", "theirs"),
    [
        ("", "a.py", "push a.py moon --overwrite", "pull moon/a.py . --overwrite"),
        (
            ". work-of-mine",
            "deep/a b.py",
            "push 'deep/a b.py' work-of-mine/deep --overwrite",
            "pull 'work-of-mine/deep/a b.py' deep --overwrite",
        ),
        (
            "deep --name gpu",
            "a.py",
            "push deep/a.py deep --overwrite --name gpu",
            "pull deep/a.py deep --overwrite --name gpu",
        ),
        ("", "deep", "push deep moon/deep --overwrite", "pull moon/deep deep --overwrite"),
    ],
    ids=["a file", "a folder of another name", "a folder below", "a folder itself"],
)
def test_a_conflict_comes_with_the_commands_that_settle_it(  # noqa: PLR0913, PLR0917 (fixtures)
    typed: str,
    conflict: str,
    ours: str,
    theirs: str,
    calls: Calls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "moon/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "moon")
    monkeypatch.setattr(deployment, "sync", lambda *_: unison.Outcome(conflicts=(conflict, "b")))
    assert cli.main(["sync", *typed.split()]) == errors.ExitCode.FAILED
    said = capsys.readouterr().err
    assert f"{ours}\n" in said
    assert f"{theirs}\n" in said
    assert not calls


def test_a_conflict_is_one_document_too(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = unison.Outcome(conflicts=("a",), changed=("b",))
    monkeypatch.setattr(deployment, "sync", lambda *_: found)
    assert cli.main(["sync", ".", "--json"]) == errors.ExitCode.FAILED
    document = json.loads(capsys.readouterr().out)
    assert (document["conflicts"], document["changed"]) == (["a"], ["b"])
    assert document["exit_code"] == 1
    assert not calls


def test_check_says_each_on_a_line_of_its_own(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check"]) == 0
    assert calls
    assert "TLS          ok" in capsys.readouterr().out


def test_down_ends_with_how_much_is_left(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["down", "--yes"]) == 0
    assert calls
    assert capsys.readouterr().out == "0 left\n"


def test_down_tells_what_is_kept_and_what_that_costs(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/jupyter-clouds"])
    done = Down("gpu", (), (), kept=(SNAPSHOT, VOLUME, SNAPSHOT))
    monkeypatch.setattr(deployment, "down", lambda *_, **__: done, raising=False)
    assert cli.main(["down", "gpu", "--yes"]) == 0
    assert not calls
    zero, first, rest = capsys.readouterr().out.splitlines()
    assert zero == "0 left"
    assert first == (
        "kept: snap-0123456789abcdef0, 50 GiB, about $2.50 a month, jupyter-clouds up gpu "
        "restores it"
    )
    assert rest.startswith("kept before: 2 more, about $5.00 a month")


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("", Wish()),
        ("--data keep", Wish("keep")),
        ("--data snapshot --keep 3", Wish("snapshot", 3)),
        ("--data delete", Wish("delete")),
    ],
)
def test_what_becomes_of_the_data_is_said_with_an_option(
    calls: Calls, typed: str, wish: Wish
) -> None:
    assert cli.main(["down", "--yes", *typed.split()]) == 0
    assert calls[0][2]["wish"] == wish


def test_how_many_snapshots_stay_may_stand_in_the_project_file(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jupyter-clouds.toml").write_text("snapshots_kept = 3\nmanual_kept = 9\n")
    monkeypatch.setenv("JUPYTER_CLOUDS_DATA", "delete")
    assert cli.main(["down", "--yes"]) == 0
    assert calls[0][2]["wish"] == Wish(None, 3, 9), "and the environment deletes nothing"
    assert cli.main(["snapshot"]) == 0
    assert calls[1][2] == {"snapshots_kept": 3, "manual_kept": 9}


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


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CloudsError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_becomes_its_exit_code_and_the_next_command(
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[errors.CloudsError],
) -> None:
    def fails(*_: Any) -> None:
        raise kind("it happened there", hint="python -m wrapper down")

    monkeypatch.setattr(deployment, "status", fails, raising=False)
    assert cli.main(["status", "gpu", "--json"]) == kind.exit_code
    assert not calls
    captured = capsys.readouterr()
    assert "it happened there" in captured.err
    assert "down gpu" in captured.err, "the hint can be typed as it is"
    document = json.loads(captured.out)
    assert document["error"] == "it happened there"
    assert document["exit_code"] == kind.exit_code


def test_whatever_is_no_known_error_is_a_bug_and_shows(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(deployment, "status", breaks, raising=False)
    with pytest.raises(ZeroDivisionError):
        cli.main(["status"])
    assert not calls


@pytest.mark.parametrize("name", list(cli.cli.commands))
def test_each_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    assert cli.cli.commands[name].help
    assert "Usage:" in capsys.readouterr().out


@pytest.mark.parametrize("typed", [["list"], ["doctor"]], ids=" ".join)
def test_hints_name_the_program_as_it_was_called(
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: list[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/jupyter-clouds"])
    monkeypatch.setattr(deployment, "every", lambda _: [])
    lacking = Finding("account", ok=False, detail="none", mend="python -m wrapper up")
    monkeypatch.setattr(doctor, "examine", lambda _: [lacking])
    cli.main(typed)
    assert not calls
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert "jupyter-clouds up" in said
    assert "python -m" not in said


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


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("budget gpu", "Either --monthly DOLLARS or --remove"),
        ("budget gpu --monthly 5 --remove", "Either --monthly DOLLARS or --remove"),
        ("budget gpu --all --monthly 5", "--all is for all notebooks"),
        ("budget gpu --local --monthly 5", "--local says which account"),
    ],
)
def test_a_budget_of_two_minds_is_refused(
    calls: Calls, capsys: pytest.CaptureFixture[str], typed: str, why: str
) -> None:
    assert cli.main(typed.split()) == 2
    assert why in capsys.readouterr().err
    assert not calls
