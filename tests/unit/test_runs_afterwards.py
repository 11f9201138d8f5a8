"""`run` on the command line: what is asked for comes to the story, and its end to the shell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.told import ANSWERS, FACTS, SNAPSHOT, Calls, calls
from wrapper import deployment
from wrapper.cli import main
from wrapper.deployment import afterwards, attending, pausing, running, take_down
from wrapper.deployment.attending import Fetched
from wrapper.deployment.awake import StoppedError
from wrapper.deployment.pausing import Stopped
from wrapper.deployment.take_down import Down
from wrapper.errors import Interrupted, LeftoverError, UsageError
from wrapper.notebook import Run

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["calls"]  # a fixture, for pytest to find here

NAME = "20261123-161712-train"
STOPPED = "moon is stopped.\nIt still costs "
ENDED = "0 left\nkept: "


def ended(**how: Any) -> Fetched:
    run: dict[str, Any] = {
        "name": NAME,
        "folder": f"runs/{NAME}",
        "kind": "command",
        "state": "done",
    }
    run |= {"exit_code": 0} | how
    return Fetched(run=Run(**run), folder=f"runs/{NAME}", files=("output.log",))


class NoLine:
    """A connection over which nothing is heard but what was asked."""

    asked: list[str]

    def __init__(self, *_: Any) -> None:
        """Nothing is sent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Closed."""

    def ask(self, call: Callable[[Any], Any]) -> Any:
        class Runs:
            def do(self, name: str, what: str) -> None:
                NoLine.asked.append(f"{name} {what}")

        class Notebook:
            runs = Runs()

        return call(Notebook())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was done to the machine."""
    found: list[str] = []
    NoLine.asked = found
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(afterwards, "Line", NoLine)

    def stop(_: Any, name: str) -> Stopped:
        found.append(f"stop {name}")
        return Stopped(**FACTS | {"name": name, "state": "stopped"}, monthly={"disks": 6.4})

    def down(world: Any, name: str) -> Down:
        found.append(f"down {name} {world.confirm('?')} {world.choose('?', ['a', 'b'], 'b')}")
        return Down(name, ended=("instance i-1",), removed=(), kept=(SNAPSHOT,))

    monkeypatch.setattr(pausing, "stop", stop)
    monkeypatch.setattr(take_down, "down", down)
    return found


def runs_to(monkeypatch: pytest.MonkeyPatch, found: Fetched) -> list[Any]:
    asked: list[Any] = []

    def run(_: Any, name: str, plan: Any, *, beside: Any) -> Fetched:
        asked.append((name, plan, beside))
        return found

    monkeypatch.setattr(running, "run", run)
    return asked


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({}, 0),
        ({"state": "failed", "exit_code": 7}, 7),
        ({"state": "cancelled", "exit_code": 143}, 143),
        ({"state": "interrupted", "exit_code": None}, 1),
        ({"outputs": {"a": ()}}, 1),
        ({"outputs": {"a": ()}, "exit_code": 7}, 7),
    ],
    ids=["done", "failed", "cancelled", "cut off", "missing", "missing of a failed one"],
)
def test_the_exit_code_is_the_runs(
    how: dict[str, Any], code: int, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = runs_to(monkeypatch, ended(**how))
    assert main(["run", "moon", "-o", "a", "--", "sh", "-c", "x  y", "--", "-p"]) == code
    ((name, plan, _),) = asked
    assert (name, plan.arguments) == ("moon", ("sh", "-c", "x  y", "--", "-p"))
    assert told == []


@pytest.mark.parametrize(
    ("after", "outputs", "done", "words", "document"),
    [
        ("stop", {}, "stop moon", STOPPED, {"stopped": "stopped"}),
        ("down", {}, "down moon True b", ENDED, {"down": []}),
        ("down", {"a": ()}, "stop moon", STOPPED, {"stopped": "stopped"}),
    ],
    ids=["stopped", "ended as with --yes", "only stopped where an output is missing"],
)
def test_what_is_to_be_afterwards_is_done_once_and_told_as_by_its_own_command(
    after: str,
    outputs: Any,
    done: str,
    words: str,
    document: dict[str, Any],
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs_to(monkeypatch, ended(after=after, outputs=outputs))
    asked = ["run", "moon", f"--{after}", "--", "true"]
    main(asked)
    assert told == [f"{NAME} settled", done]
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == "", "that is the run's own"
    main([*asked[:2], "--json", *asked[2:]])
    found = json.loads(capsys.readouterr().out)
    assert found["run"]["name"] == NAME
    key = {"stopped": "state", "down": "left"}
    assert {one: found[one][key[one]] for one in key if one in found} == document


def test_what_fails_afterwards_takes_the_runs_document_with_it(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def left(*_: Any) -> None:
        raise LeftoverError("1 left", hint="Again.")

    monkeypatch.setattr(take_down, "down", left)
    runs_to(monkeypatch, ended(after="down"))
    assert main(["run", "--json", "--down", "--", "true"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["error"], found["run"]["name"], found["exit_code"]) == ("1 left", NAME, 1)
    assert told == [f"{NAME} settled"]


def test_what_ec2_cannot_stop_ends_by_itself(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise UsageError("It is a one-time spot machine.")

    monkeypatch.setattr(pausing, "stop", refuse)
    runs_to(monkeypatch, ended(after="stop"))
    assert main(["run", "--stop", "--", "true"]) == 0
    assert "It ends by itself" in capsys.readouterr().err
    assert told == [f"{NAME} settled"]


def test_leaving_is_told_and_no_failure_of_the_run(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def left(*_: Any, **__: Any) -> None:
        raise Interrupted("Left.", hint="Come back.")

    monkeypatch.setattr(running, "run", left)
    assert main(["run", "--down", "--", "true"]) == 130
    assert "Come back." in capsys.readouterr().err
    assert told == []


def test_a_document_has_both_codes_and_nothing_beside_it(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_to(monkeypatch, ended(outputs={"a": ()}))
    assert main(["run", "--json", "--", "true"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["exit_code"], found["run"]["exit_code"]) == (1, 0)
    assert found["files"] == ["output.log"]
    assert told == []


@pytest.mark.parametrize(
    ("words", "which"),
    [(["--attach"], None), (["--attach", NAME], NAME), ([f"--attach={NAME}"], NAME)],
)
def test_coming_back_is_to_the_newest_or_to_the_named_one(
    words: list[str], which: str | None, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def find(_: Any, name: str, named: str | None) -> Run:
        asked.append((name, named))
        return ended().run

    monkeypatch.setattr(running, "find", find)
    monkeypatch.setattr(attending, "attend", lambda *_: ended(exit_code=5))
    assert main(["run", "moon", *words]) == 5
    assert asked == [("moon", which)]
    assert told == []


@pytest.mark.parametrize("as_json", [True, False], ids=["document", "words"])
def test_up_runs_it_in_what_it_made(
    calls: Calls,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool,
) -> None:
    Path("job.py").write_text("1")
    asked: list[Any] = []

    def run(_: Any, name: str, plan: Any, *, beside: Any) -> Fetched:
        asked.append((name, plan.kind, plan.outputs, beside))
        return ended(exit_code=4, after="down")

    monkeypatch.setattr(deployment, "run", run, raising=False)
    words = ["up", "moon", "--run", "job.py", "-o", "x", "--down", "--yes"]
    assert main([*words, *(["--json"] if as_json else [])]) == 4
    assert [one[0] for one in calls] == ["up"]
    assert asked == [("moon", "script", ("x",), None)]
    assert told == [f"{NAME} settled", "down moon True b"]
    shown = capsys.readouterr().out
    if as_json:
        found = json.loads(shown)
        assert (found["exit_code"], found["url"]) == (4, ANSWERS["up"].summary.url)
    else:
        assert "The notebook answers, verified." in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--run", "none.py"],
        ["--run", "job.txt"],
        ["--run", "job.py", "--watch"],
        ["--run", "job.py", "-p", "x=1"],
        ["--run", "job.py", "--with", ".", "--no-ssh"],
        ["--down"],
        ["-o", "x"],
    ],
    ids=" ".join,
)
def test_what_could_not_be_run_makes_nothing(
    words: list[str],
    calls: Calls,
    tmp_path: Path,
) -> None:
    (tmp_path / "job.py").write_text("1")
    (tmp_path / "job.txt").write_text("1")
    assert main(["up", "--yes", *words]) == 2
    assert calls == []


def test_status_shows_what_runs(
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = replace(ended().run, state="running", exit_code=None, cells=9, cells_done=3)
    monkeypatch.setitem(ANSWERS, "status", replace(ANSWERS["status"], runs=(run,)))
    assert main(["status"]) == 0
    assert calls
    shown = capsys.readouterr().out
    (line,) = [one for one in shown.splitlines() if one.startswith("run ")]
    assert NAME in line
    assert line.endswith("cell 3 of 9")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> list[str]:
    """A machine that has stopped by itself, after a run that was to end it."""

    def find(_: Any, __: str, ___: str | None) -> Run:
        if "start moon" not in told:
            raise StoppedError("The machine of moon is stopped.", hint="", can_be_started=True)
        return ended().run

    monkeypatch.setattr(running, "find", find)
    monkeypatch.setattr(pausing, "start", lambda _, name: told.append(f"start {name}"))
    monkeypatch.setattr(attending, "attend", lambda *_: ended(after="down"))
    return told


def test_coming_back_to_a_stopped_machine_does_the_rest(stopped: list[str]) -> None:
    assert main(["run", "moon", "--attach", "--yes"]) == 0
    assert stopped == ["start moon", f"{NAME} settled", "down moon True b"]


def test_unasked_no_stopped_machine_is_started(stopped: list[str]) -> None:
    assert main(["run", "moon", "--attach"]) == 3
    assert stopped == []


def test_a_machine_that_only_ec2_can_start_is_not_offered_to_be_started(
    stopped: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(*_: Any) -> Run:
        raise StoppedError("moon: EC2 stopped it.", hint="python -m wrapper up moon --watch")

    monkeypatch.setattr(running, "find", find)
    assert main(["run", "moon", "--attach", "--yes"]) == 3
    assert "up moon --watch" in capsys.readouterr().err
    assert stopped == []
