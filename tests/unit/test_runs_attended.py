"""A `run` that is watched, left, lost, cancelled and come back to; with a real Jupyter."""

from __future__ import annotations

import dataclasses
import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runs_here import Here, here, machine, notebook, script
from tests.unit.services_machine import until
from wrapper import deployment, run_plan
from wrapper.deployment import attending, running
from wrapper.deployment.events import Printed
from wrapper.errors import FailedError, Interrupted, NoAnswerError
from wrapper.notebook.unattended import Runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.unattended import Unattended

__all__ = ["here", "machine"]  # fixtures, for pytest to find here


def test_leaving_ends_nothing_and_coming_back_finds_it(here: Here, machine: Unattended) -> None:
    plan = run_plan.of_command(
        ["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.1; done; echo ended"], (), None
    )
    heard = here.world.report

    def leave(event: Any) -> None:
        heard(event)
        if isinstance(event, Printed):
            raise KeyboardInterrupt

    here.world = dataclasses.replace(here.world, report=leave)
    with pytest.raises(Interrupted) as raised:
        here.run(plan)
    (name,) = [one.name for one in deployment.runs(here.world, here.name) if one.going]
    assert f"run {here.name} --attach {name}" in str(raised.value.hint)
    assert not Path("runs").exists()
    (machine.work / "runs" / name / "go").touch()
    here.world = dataclasses.replace(here.world, report=heard)
    found = here.attend(running.find(here.world, here.name, None).name)
    assert found.run.state == "done"
    assert Path(found.folder, "output.log").read_text() == "begun\nended\n"


@pytest.mark.parametrize("kind", ["notebook", "command"])
def test_one_that_is_cancelled_ends_and_says_so(kind: str, here: Here, machine: Unattended) -> None:
    plan = {
        "notebook": lambda: run_plan.of_file(
            notebook("print('here')", "import time\ntime.sleep(600)", "print('never')")
        ),
        "command": lambda: run_plan.of_command(["sh", "-c", "echo here; sleep 600"], (), None),
    }[kind]()
    name = here.start(plan)
    log = machine.work / "runs" / name / ".run/output.log"
    until(lambda: log.exists() and "here" in log.read_text())
    assert deployment.cancel(here.world, here.name, None).name == name
    found = here.attend(name)
    assert (found.run.state, found.exit_code) == ("cancelled", 143)
    assert here.printed == "here\n"
    with pytest.raises(FailedError, match="has ended already: cancelled"):
        deployment.cancel(here.world, here.name, name)


@pytest.mark.parametrize(
    ("kind", "how"),
    [("notebook", signal.SIGTERM), ("command", signal.SIGTERM), ("command", signal.SIGKILL)],
    ids=["notebook stopped", "command stopped", "cut off"],
)
def test_one_whose_machine_goes_is_told_as_interrupted(
    kind: str, how: signal.Signals, here: Here, machine: Unattended
) -> None:
    plan = {
        "notebook": lambda: run_plan.of_file(
            notebook("print('here')\nimport time\ntime.sleep(60)")
        ),
        "command": lambda: run_plan.of_command(["sh", "-c", "echo here; exec sleep 60"], (), None),
    }[kind]()
    name = here.start(plan)
    log = machine.work / "runs" / name / ".run/output.log"
    until(lambda: log.exists() and "here" in log.read_text())
    machine.running[name].send_signal(how)
    found = here.attend(name)
    assert found.run.state == "interrupted"
    assert found.exit_code != 0


def test_a_machine_that_is_to_stop_is_told_and_waits_for_what_is_fetched(
    here: Here, machine: Unattended
) -> None:
    machine.wishes.clear()
    found = here.run(run_plan.of_command(["touch", "a"], ["a"], "stop"))
    assert machine.wishes == [
        {"do": "run", "name": found.run.name, "stop": True},
        {"do": "hold"},
    ]


def test_a_connection_that_is_lost_is_made_again(
    here: Here, machine: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.reaching.PAUSE", 0)
    broken = [2]

    def notebook(*_: Any, **__: Any) -> Any:
        made = machine.notebook()
        if broken[0]:
            broken[0] -= 1
            monkeypatch.setattr(made.runs.__class__, "news", _silent(broken), raising=True)
        return made

    here.world = dataclasses.replace(here.world, notebook=notebook)
    assert here.run(run_plan.of_command(["echo", "x"], (), None)).exit_code == 0
    assert here.printed == "x\n"
    assert any("Asking again" in str(one) for one in here.told)


def _silent(left: list[int]) -> Callable[..., Any]:
    """As ever, after it did not answer once."""
    real = Runs.news
    failed = [False]

    def news(self: Runs, *words: Any, **more: Any) -> Any:
        if not failed[0]:
            failed[0], left[0] = True, 0
            raise NoAnswerError("Silence.")
        return real(self, *words, **more)

    return news


def test_the_log_goes_on_from_any_byte(machine: Unattended, here: Here) -> None:
    found = here.run(run_plan.of_file(script("print('ü' * 200_000, end='')")))
    assert Path(found.folder, "output.log").read_text() == "ü" * 200_000
    with machine.notebook() as there:
        there.login()
        news = there.runs.news(found.run.name, -4)
        assert news
        assert (news.text, news.next) == ("üü", 400_000)


def test_results_stay_in_their_own_folder(here: Here, machine: Unattended) -> None:
    found = here.run(run_plan.of_command(["true"], (), None))
    state = machine.work / "runs" / found.run.name / ".run/state.json"
    known = json.loads(state.read_text())
    state.write_text(json.dumps(known | {"outputs": {"x": ["../../../evil"]}}))
    with pytest.raises(FailedError, match="none of"), suppress(NoAnswerError):
        here.attend(found.run.name)
    assert attending.HERE == "runs"
