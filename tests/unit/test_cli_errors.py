"""What the command line says of errors, and of itself."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.unit.told import Calls, calls
from wrapper import cli, deployment, doctor, errors
from wrapper.doctor import Finding

__all__ = ["calls"]  # a fixture, for pytest to find here

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
