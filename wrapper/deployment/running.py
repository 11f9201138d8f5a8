"""`run`: sent, started as a unit of the machine's own, watched, fetched. docs/adr/0013-runs.md."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from wrapper.deployment import bringing_files
from wrapper.deployment.attending import attend
from wrapper.deployment.events import Note, Step
from wrapper.deployment.reaching import Line
from wrapper.errors import CloudsError, FailedError, Interrupted, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.attending import Fetched
    from wrapper.deployment.world import World
    from wrapper.notebook import Notebook, Run
    from wrapper.run_plan import Plan

_PATIENCE = 45 * 60.0
"""Seconds in which the user's environment has been installed."""
_PAUSE = 1.0


def run(
    world: World, name: str, plan: Plan, *, beside: Path | None = None, fetch: bool = True
) -> Fetched:
    """It has run there, and what it made is here, if it is wanted.

    SettingsError: a kernel that is not there. FailedError: no environment, or no start. Interrupted
    once it runs: it goes on.
    """
    started = start(world, name, plan, beside=beside)
    return attend(world, name, started.name, since_start=True, fetch=fetch)


def start(world: World, name: str, plan: Plan, *, beside: Path | None = None) -> Run:
    """It runs there, whatever becomes of this computer. As `run`; Interrupted: nothing runs."""
    with Line(world, name) as line:
        line.ask(lambda notebook: _check_kernel(notebook, plan))
        _wait_for_environment(line, name)
        prepared = line.ask(lambda notebook: notebook.runs.prepare(plan.document()))
        try:
            if beside is not None:
                world.report(Step(f"Sending {beside}"))
                how = bringing_files.How(overwrite=True)
                bringing_files.push(world, name, beside, prepared.folder, how)
            started = line.ask(lambda notebook: _begin(notebook, prepared))
        except BaseException as error:
            _forget(line, prepared)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted("Interrupted. Nothing was started.") from error
            raise
    world.report(Note(f"{prepared.name} runs; it goes on without this computer"))
    return started


def runs(world: World, name: str) -> list[Run]:
    """The newest runs there, newest first."""
    with Line(world, name) as line:
        return line.ask(lambda notebook: notebook.runs.all()) or []


def find(world: World, name: str, which: str | None) -> Run:
    """The run that was named, or the newest that goes on, or the newest. FailedError: none."""
    with Line(world, name) as line:
        return line.ask(lambda notebook: chosen(notebook, name, which))


def cancel(world: World, name: str, which: str | None) -> Run:
    """It is told to end. FailedError when it has, or there is none."""
    with Line(world, name) as line:
        found = line.ask(lambda notebook: chosen(notebook, name, which))
        if not found.going:
            raise FailedError(
                f"{found.name} has ended already: {found.state}.",
                hint=f"python -m wrapper run {name} --attach {found.name}",
            )
        line.ask(lambda notebook: notebook.runs.do(found.name, "cancel"))
    return found


def chosen(notebook: Notebook, name: str, which: str | None) -> Run:
    """The run that was named, or the newest that goes on, or the newest. FailedError: none."""
    there = notebook.runs.all() or []
    if which:
        there = [one for one in there if one.name == which]
    going = [one for one in there if one.going]
    if not there:
        raise FailedError(
            f"{name} has no run{f' {which}' if which else ''}.",
            hint=f"Those there are: python -m wrapper run {name} --list",
        )
    return (going or there)[0]


def _check_kernel(notebook: Notebook, plan: Plan) -> None:
    if plan.kind != "notebook":
        return
    there = notebook.runs.kernels()
    if plan.kernel not in there:
        raise SettingsError(
            f"{plan.file} asks for the kernel {plan.kernel}, which the machine does not have. "
            f"It has {', '.join(there)}.",
            hint="Take one of those: --kernel python3",
        )


def _wait_for_environment(line: Line, name: str) -> None:
    """What runs finds the user's packages. FailedError when their installation failed."""
    until = time.monotonic() + _PATIENCE
    told = False
    while True:
        found = line.keep_asking(lambda notebook: notebook.clouds_status())
        phase = found.phases.get("environment")
        state = phase.state if phase else "done"
        if state == "done":
            return
        if state == "failed" or time.monotonic() > until:
            raise FailedError(
                f"The environment on {name} is not there: {(phase and phase.error) or state}.",
                hint=f"python -m wrapper logs {name} --phase boot",
            )
        if not told:
            line.world.report(Step("Waiting for the environment, which is being installed"))
        told = True
        time.sleep(_PAUSE)


def _begin(notebook: Notebook, prepared: Run) -> Run:
    started = notebook.runs.do(prepared.name, "start")
    if started is None:
        raise FailedError(
            "The machine has nothing that starts runs: its phase services failed.",
            hint="python -m wrapper logs --phase boot",
        )
    return started


def _forget(line: Line, prepared: Run) -> None:
    """Nothing half-made stays; what has begun meanwhile goes on, and what is silent is left."""
    with contextlib.suppress(CloudsError):
        line.ask(lambda notebook: notebook.runs.do(prepared.name, "forget"))
