"""`push`, `pull` and `sync`."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.errors import FailedError
from wrapper.settings import DEFAULT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment import How, World
    from wrapper.rsync import Moved
    from wrapper.unison import Outcome

F = TypeVar("F", bound="Callable[..., Any]")


def _options(function: F) -> F:
    for one in reversed(
        (
            options.option("--name", default=DEFAULT_NAME, metavar="NAME", help="Which notebook."),
            click.option("--dry-run", is_flag=True, help="Say what would go; change nothing."),
            click.option("--delete", is_flag=True, help="Delete there what is not here any more."),
            click.option("--overwrite", is_flag=True, help="Also what is newer at the other end."),
            click.option("--no-gitignore", is_flag=True, help="Also what git would leave out."),
            click.option("--force", is_flag=True, help="Also a home directory, or all of a disk."),
            options.as_json,
        )
    ):
        function = one(function)
    return function


@click.command()
@click.argument("source", default=".", type=click.Path(exists=True))
@click.argument("target", required=False)
@_options
@click.pass_context
def push(ctx: click.Context, /, source: str, target: str | None, **given: Any) -> None:
    """Send a folder, or a file, to the machine's work folder.

    SOURCE is this directory when not given; TARGET, below the work folder, is named like it.
    What is newer there stays, and is named.
    """
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)

    ctx.obj["name"] = name = given["name"]
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        moved = deployment.push(world, name, Path(source), target, _how(given))
    _tell(name, moved, given)


@click.command()
@click.argument("source", required=False)
@click.argument("target", required=False, type=click.Path())
@_options
@click.pass_context
def pull(ctx: click.Context, /, source: str | None, target: str | None, **given: Any) -> None:
    """Fetch a folder, or a file, from the machine's work folder.

    SOURCE, below the work folder, is named like this directory when not given; TARGET is then this
    directory. What is newer here stays, and is named.
    """
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)

    ctx.obj["name"] = name = given["name"]
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        into = Path(target) if target else None
        moved = deployment.pull(world, name, source, into, _how(given))
    _tell(name, moved, given)


@click.command()
@click.argument("directory", default=".", type=click.Path(exists=True, file_okay=False))
@click.argument("target", required=False)
@options.option("--name", default=DEFAULT_NAME, metavar="NAME", help="Which notebook.")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, with each change at once.")
@click.option("--delete", is_flag=True, help="What was deleted at one end goes at the other too.")
@click.option("--no-gitignore", is_flag=True, help="Also what git would leave out.")
@click.option("--force", is_flag=True, help="Also a home directory, or all of a disk.")
@options.as_json
@click.pass_context
def sync(ctx: click.Context, /, directory: str, target: str | None, **given: Any) -> None:
    """Bring a folder here and one on the machine together, both ways.

    DIRECTORY is this one when not given; TARGET, below the work folder, is named like it. What
    changed at both ends is left at both, and named; the exit code is 1 then.
    """
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)
    from wrapper.cli import news  # noqa: PLC0415 (after --help)
    from wrapper.deployment.syncing import Wish  # noqa: PLC0415 (after --help)

    if given["watch"] and given["as_json"]:
        raise click.UsageError("--json tells how it ended, and --watch does not end.")
    ctx.obj["name"] = name = given["name"]
    wish = Wish(
        watch=given["watch"],
        delete=given["delete"],
        gitignore=not given["no_gitignore"],
        force=given["force"],
    )
    with Screen() as screen:
        world = worlds.real(news.also_on_the_desktop(screen.report), Person(yes=False))
        found = deployment.sync(world, name, Path(directory), target, wish)
    ctx.obj["document"] = {"name": name, **asdict(found)}
    _refuse_conflicts(found, name, directory, target)
    _tell(name, found, given)


def _refuse_conflicts(found: Outcome, name: str, directory: str, target: str | None) -> None:
    if found.conflicts:
        ours, theirs = _either(name, directory, target, found.conflicts[0])
        raise FailedError(
            f"Changed at both ends, and left at both: {', '.join(found.conflicts)}",
            hint=f"Take yours: python -m wrapper {ours}\n"
            f"    or the machine's: python -m wrapper {theirs}",
        )


def _either(name: str, directory: str, target: str | None, conflict: str) -> tuple[str, str]:
    """What settles one conflict, either way."""
    from pathlib import Path, PurePosixPath  # noqa: PLC0415 (after --help)

    here = Path(directory, conflict)
    there = PurePosixPath(target or Path(directory).resolve().name, conflict)
    # A folder goes into the one that is named, a file into the folder that is.
    into = (here, there) if here.is_dir() else (here.parent, there.parent)
    which = [] if name == DEFAULT_NAME else ["--name", name]
    push = ["push", str(here), str(into[1]), "--overwrite", *which]
    pull = ["pull", str(there), str(into[0]), "--overwrite", *which]
    return shlex.join(push), shlex.join(pull)


def refuse_to_sync(directory: str) -> None:
    """Where it could not be done, nothing is made either. FailedError, SettingsError."""
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import unison  # noqa: PLC0415 (after --help)
    from wrapper.deployment.precautions import refuse_home  # noqa: PLC0415 (after --help)

    unison.program()
    refuse_home(Path(directory).resolve(), force=False)


def sync_once(world: World, name: str, directory: str) -> None:
    """As `sync`, also where something was changed at both ends: FailedError then."""
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)
    from wrapper.deployment.syncing import Wish  # noqa: PLC0415 (after --help)

    found = deployment.sync(world, name, Path(directory), None, Wish())
    _refuse_conflicts(found, name, directory, None)


def _how(given: dict[str, Any]) -> How:
    from wrapper.deployment import How  # noqa: PLC0415 (after --help)

    return How(
        dry_run=given["dry_run"],
        delete=given["delete"],
        overwrite=given["overwrite"],
        gitignore=not given["no_gitignore"],
        force=given["force"],
        progress=sys.stdout.isatty() and not given["as_json"],
        listed=given["as_json"],
    )


def _tell(name: str, found: Moved | Outcome, given: dict[str, Any]) -> None:
    if given["as_json"]:
        click.echo(json.dumps({"name": name, **asdict(found)}, indent=2))
