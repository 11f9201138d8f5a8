"""`run`, and `up --run`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import ends, news, options, run_options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.cli.ways import WithWords
from wrapper.settings import DEFAULT_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment import World
    from wrapper.deployment.attending import Fetched
    from wrapper.notebook import Run
    from wrapper.run_plan import Plan

_NEWEST = "newest"


def of_up_planned(given: dict[str, Any]) -> Plan | None:
    """What `up --run` is to run; None: nothing. Checked before anything is made."""
    told = [
        flag
        for flag, name in (
            ("-p", "parameters"),
            ("-o", "outputs"),
            ("--kernel", "kernel"),
            ("--with", "beside"),
            ("--stop or --down", "after"),
        )
        if given[name]
    ]
    if given["ran"] is None:
        if told:
            raise click.UsageError(f"{', '.join(told)}: only with --run FILE.")
        return None
    if given["watch"]:
        raise click.UsageError("--run comes to an end, and --watch does not: one of the two.")
    if not run_options.is_file(given["ran"]):
        raise click.UsageError(f"--run {given['ran']}: a notebook (.ipynb) or a script (.py).")
    return planned(given["ran"], (), given)


@click.command(cls=WithWords)
@click.argument("words", metavar="[NAME] [FILE]", nargs=-1)
@options.option("--name", default=DEFAULT_NAME, metavar="NAME", help="The same as NAME.")
@run_options.of_a_run
@run_options.afterwards
@click.option("--detach", is_flag=True, help="Start it, and do not wait.")
@click.option(
    "--attach", is_flag=False, flag_value=_NEWEST, metavar="[ID]", help="Come back to one."
)
@click.option("--cancel", is_flag=False, flag_value=_NEWEST, metavar="[ID]", help="End one.")
@click.option("--list", "listed", is_flag=True, help="Show the newest.")
@options.yes
@options.as_json
@click.pass_context
def run(ctx: click.Context, /, words: tuple[str, ...], **given: Any) -> None:
    """Run a notebook, a script or a command on the machine, and fetch what it made.

    FILE is a .ipynb or a .py; what follows `--` are a script's arguments, or without FILE a
    command. It goes on when this computer is closed: Ctrl-C leaves it, --attach comes back. The
    exit code is its own; 1 where a cell failed, or a named output was not made.
    """
    names = [one for one in words if not run_options.is_file(one)]
    files = [one for one in words if run_options.is_file(one)]
    after_dashes: tuple[str, ...] = ctx.meta["words"]
    if len(names) > 1 or len(files) > 1:
        raise click.UsageError(
            f"run takes a name and a file (.ipynb or .py), not {' '.join(words)}; a command goes "
            "behind --"
        )
    ctx.obj["name"] = name = names[0] if names else given["name"]
    one_of = [one for one in ("attach", "cancel", "listed") if given[one]]
    planned = bool(files or after_dashes)
    if len(one_of) + planned != 1:
        raise click.UsageError(
            "run takes a FILE, a command behind --, or one of --attach, --cancel and --list."
        )
    code = _manage(name, given) if one_of else _run(name, files, after_dashes, given)
    ctx.exit(code)


def _run(name: str, files: list[str], words: Sequence[str], given: dict[str, Any]) -> int:
    plan = planned(files[0] if files else None, words, given)
    with Screen(all_to_stderr=given["as_json"]) as screen:
        world = worlds.real(news.also_on_the_desktop(screen.report), Person(yes=False))
        return done(world, name, plan, given)


def planned(file: str | None, words: Sequence[str], given: dict[str, Any]) -> Plan:
    """What was asked for, checked. SettingsError, UsageError."""
    from wrapper import run_plan  # noqa: PLC0415 (after --help)

    if file is None:
        if given["parameters"] or given["kernel"]:
            raise click.UsageError("-p and --kernel are a notebook's.")
        return run_plan.of_command(words, given["outputs"], given["after"])
    return run_plan.of_file(
        Path(file),
        beside=Path(given["beside"]) if given["beside"] else None,
        arguments=words,
        parameters=given["parameters"],
        kernel=given["kernel"],
        outputs=given["outputs"],
        after=given["after"],
    )


def done(world: World, name: str, plan: Plan, given: dict[str, Any]) -> int:
    """It has run, or was started; what is to be afterwards is done. The exit code."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    beside = Path(given["beside"]) if given["beside"] else None
    if given.get("detach"):
        started = deployment.start_run(world, name, plan, beside=beside)
        click.echo(json.dumps(asdict(started), indent=2) if given["as_json"] else started.name)
        return 0
    return _end(world, name, deployment.run(world, name, plan, beside=beside), given)


def done_by_up(
    world: World, name: str, plan: Plan, given: dict[str, Any], summary: dict[str, Any]
) -> int:
    """Likewise; one document has what `up` and what the run tells."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    beside = Path(given["beside"]) if given["beside"] else None
    found = deployment.run(world, name, plan, beside=beside)
    return _end(world, name, found, {**given, "summary": summary})


def _manage(name: str, given: dict[str, Any]) -> int:
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    which = given["attach"] or given["cancel"]
    which = None if which == _NEWEST else which
    with Screen(all_to_stderr=given["as_json"]) as screen:
        world = worlds.real(news.also_on_the_desktop(screen.report), Person(yes=False))
        if given["listed"]:
            found = deployment.runs(world, name)
            documents = [asdict(one) for one in found]
            lines = [line(one) for one in found] or ["No runs."]
            click.echo(json.dumps(documents, indent=2) if given["as_json"] else "\n".join(lines))
            return 0
        if given["cancel"]:
            told = deployment.cancel(world, name, which)
            click.echo(json.dumps(asdict(told), indent=2) if given["as_json"] else told.name)
            return 0
        one = _found(world, name, which, Person(yes=given["yes"]))
        return _end(world, name, deployment.attend(world, name, one.name), given)


def _found(world: World, name: str, which: str | None, person: Person) -> Run:
    """The run to come back to; a machine that has stopped by itself is started for it, if agreed.

    StoppedError, when nobody agrees, or only EC2 could.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)
    from wrapper.deployment import running  # noqa: PLC0415 (after --help)
    from wrapper.deployment.awake import StoppedError  # noqa: PLC0415 (after --help)

    try:
        return running.find(world, name, which)
    except StoppedError as error:
        if not error.can_be_started:
            raise
        question = f"{error.message} Start it, to fetch what it made, and do what was to follow?"
        if not (person.yes or person.there) or not person.confirm(question):
            raise
    deployment.start(world, name)
    return running.find(world, name, which)


def _end(world: World, name: str, found: Fetched, given: dict[str, Any]) -> int:
    from wrapper.deployment import afterwards  # noqa: PLC0415 (after --help)

    told = {**given.get("summary", {}), **asdict(found), "exit_code": found.exit_code}
    if not given["as_json"]:
        click.echo("\n".join(_ending(found)), err=True)
    # Where what was to follow fails, the run is told all the same.
    click.get_current_context().obj["document"] = told
    rest = afterwards.do(world, name, found)
    words, more = ends.after_a_run(rest) if rest else ("", {})
    if given["as_json"]:
        click.echo(json.dumps(told | more, indent=2))
    elif words:
        click.echo(words, err=True)
    return found.exit_code


def _ending(found: Fetched) -> list[str]:
    run = found.run
    why = f": {run.error}" if run.error else ""
    code = f" (exit code {run.exit_code})" if run.exit_code else ""
    lines = [f"{run.name}: {run.state}{code}{why}"]
    lines += [f"  {found.folder}/{one}" for one in found.files]
    lines += [f"  missing: {one} was not made" for one in run.missing]
    return lines


def line(one: Run) -> str:
    """One run, in a list."""
    cells = f"cell {one.cells_done} of {one.cells}" if one.cells else ""
    code = f"exit code {one.exit_code}" if one.exit_code else ""
    more = ", ".join(filter(None, (cells, code, one.error)))
    return f"{one.name:<40} {one.state:<12} {one.began or '-':<21} {more}".rstrip()
