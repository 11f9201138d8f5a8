"""`stop`, `start`, `extend` and `resize`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from wrapper.cli import ends, options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.lifecycle import ending
from wrapper.cli.options import option
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen


@click.command()
@options.name_argument
@click.option(
    "--keep-down",
    is_flag=True,
    help="End a machine that EC2 interrupted and would start again; its data volume stays.",
)
@options.yes
@options.as_json
def stop(name: str, *, keep_down: bool, yes: bool, as_json: bool) -> None:
    """Stop the machine; its disks and its address stay, and cost."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=yes))
        found = deployment.stop(world, name, keep_down=keep_down)
    if as_json:
        click.echo(json.dumps(found.document(), indent=2))
    else:
        click.echo(ends.stopped_in_words(found))


@click.command()
@options.name_argument
@options.as_json
def start(name: str, *, as_json: bool) -> None:
    """Start a stopped machine, and verify its notebook."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        done = deployment.start(worlds.real(screen.report, Person(yes=False)), name)
    if as_json:
        click.echo(json.dumps(done.summary.document(), indent=2))
    else:
        click.echo(fitting(ending(done), name))


@click.command(context_settings={"ignore_unknown_options": True})  # hours below zero
@click.argument("words", metavar="[NAME] HOURS", nargs=-1, required=True)
@option("--name", default="notebook", metavar="NAME", help="The same as NAME.")
@options.yes
@options.as_json
@click.pass_context
def extend(
    ctx: click.Context, words: tuple[str, ...], *, name: str, yes: bool, as_json: bool
) -> None:
    """Let the running machine stop so many hours later than it would, from now on."""
    from wrapper import deployment, hours  # noqa: PLC0415 (after --help)

    *names, last = words
    ctx.obj["name"] = name = names[0] if names else name
    if len(names) > 1:
        raise click.UsageError(f"extend takes a name and hours, not {' '.join(words)}")
    try:
        wanted = float(last)
    except ValueError:
        raise click.UsageError(f"{last} is no number of hours: extend {name} 2") from None
    with Screen() as screen:
        found = deployment.extend(worlds.real(screen.report, Person(yes=yes)), name, wanted)
    if as_json:
        click.echo(json.dumps({"name": name, **asdict(found)}, indent=2))
    else:
        end = hours.moment(found.ends_at or found.began)
        click.echo(f"{name} stops at {end}, whatever it does.")


@click.command()
@click.argument("words", metavar="[NAME] TYPE", nargs=-1, required=True)
@option("--name", default="notebook", metavar="NAME", help="The same as NAME.")
@options.yes
@options.as_json
@click.pass_context
def resize(
    ctx: click.Context, words: tuple[str, ...], *, name: str, yes: bool, as_json: bool
) -> None:
    """Another instance type for a notebook, with its data, address and key.

    On-demand the machine stops for it and stays; on spot another one takes over.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    *names, kind = words
    ctx.obj["name"] = name = names[0] if names else name
    if len(names) > 1:
        raise click.UsageError(f"resize takes a name and a type, not {' '.join(words)}")
    with Screen() as screen:
        done = deployment.resize(worlds.real(screen.report, Person(yes=yes)), name, kind)
    if as_json:
        click.echo(json.dumps(done.summary.document(), indent=2))
    else:
        click.echo(fitting(ending(done), name))
