"""`interrupt`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from wrapper.deployment.rehearsing import Rehearsal


@click.command()
@options.name_argument
@click.option(
    "--after",
    type=click.IntRange(min=1, max=900),
    metavar="SECONDS",
    help="From the notice to the end; 120 at least on AWS.  [default: 120]",
)
@click.option("--role-arn", metavar="ARN", help="FIS's role.  [default: made, and removed]")
@options.yes
@options.as_json
def interrupt(
    name: str, *, after: int | None, role_arn: str | None, yes: bool, as_json: bool
) -> None:
    """Rehearse a spot interruption, and tell what it cost, in seconds."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=yes))
        found = deployment.interrupt(world, name, after=after, role_arn=role_arn)
    click.echo(json.dumps(found.document(), indent=2) if as_json else _report(found))


def _report(found: Rehearsal) -> str:
    rows = [
        ("from notice to saved", found.notice_to_saved),
        ("from notice to stopped", found.notice_to_stopped),
        ("from capacity to answering", found.capacity_to_answering),
    ]
    now = f"answers again at {found.url}" if found.url else "its machine is gone"
    lines = [f"{found.name} was interrupted, and {now}."]
    for what, seconds in rows:
        lines.append(f"  {what:<27} {'not told' if seconds is None else f'{seconds:.1f} s'}")
    return "\n".join(lines)
