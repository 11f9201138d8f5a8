"""What `up`, `sync` and `down` print at their end, and what `down` is told of the data."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.told import FACTS, SNAPSHOT, VOLUME, Calls, calls
from wrapper import cli, deployment, errors, unison
from wrapper.deployment.take_down import Down, Wish

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["calls"]  # a fixture, for pytest to find here


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
def test_a_conflict_comes_with_the_commands_that_settle_it(
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
