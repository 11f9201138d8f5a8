"""`logs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from wrapper.deployment.reading_logs import Log, Wanted

_PHASES = ("boot", "jupyter", "idle", "spot", "run", "files")


@click.command()
@options.name_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--phase", type=click.Choice(_PHASES), help="Only of that.  [default: all]")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1, 5000),
    default=200,
    show_default=True,
    help="The last so many.",
)
@options.as_json
def logs(name: str, *, follow: bool, phase: str | None, lines: int, as_json: bool) -> None:
    """Show what the machine's programs wrote: set-up, Jupyter, idle and spot watch, runs.

    From its journal, where the notebook or SSH answers; else from its console, through the EC2 API.
    Which of these is said.
    """
    from wrapper.deployment.reading_logs import Wanted  # noqa: PLC0415 (after --help)

    if follow and as_json:
        raise click.UsageError("--json is one document, which --follow never ends.")
    found = _read(name, Wanted(phase=phase, lines=lines, follow=follow), quiet=as_json)
    if as_json:
        told = {"name": name, "source": found.source, "phase": phase, "text": found.text}
        click.echo(json.dumps(told, indent=2))


def _read(name: str, wanted: Wanted, *, quiet: bool) -> Log:
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    def told(text: str) -> None:
        if not quiet and text:
            click.echo(plain(text).removesuffix("\n"))

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        return deployment.logs(world, name, wanted, told)


def plain(text: str) -> str:
    """Without what would act on a terminal: programs of others wrote it."""
    return "".join(one if one.isprintable() or one in "\n\t" else "�" for one in text)
