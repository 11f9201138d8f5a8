"""`stop` and `start`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.lifecycle import ending
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from wrapper.deployment.pausing import Stopped


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
        click.echo(fitting(_stopped(found), name))


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


def _stopped(found: Stopped) -> str:
    first = f"{found.name} is {found.state}." if found.changed else "Nothing to do: it is stopped."
    lines = [first]
    if found.monthly:
        listed = ", ".join(f"{what} ${dollars:.2f}" for what, dollars in found.monthly.items())
        total = sum(found.monthly.values())
        lines.append(
            f"It still costs about ${total:.2f} a month ({listed}; list prices of us-east-1)."
        )
    again = "start" if found.state == "stopped" else "up"
    lines += [
        f"  again   python -m wrapper {again}",
        "  end it  python -m wrapper down",
    ]
    return "\n".join(lines)
