"""`cost`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.reckoning import Spent


@click.command()
@click.argument("name", required=False)
@click.option(
    "--since",
    metavar="WHEN",
    help="A date, or 7d, 12h, 2w.  [default: from the beginning]",
)
@options.as_json
@click.pass_context
def cost(ctx: click.Context, name: str | None, *, since: str | None, as_json: bool) -> None:
    """Reckon what was spent: machine hours, disks, address, snapshots, and on what assumptions.

    Without NAME, of every notebook of this computer, also of those that are down.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    ctx.obj["name"] = name
    with Screen() as screen:
        found = deployment.cost(worlds.real(screen.report, Person(yes=False)), name, since=since)
    total = round(sum(one.total for one in found), 4)
    if as_json:
        document = {"total": total, "notebooks": [one.document() for one in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(fitting(_in_words(found, total), name))


def _in_words(found: Sequence[Spent], total: float) -> str:
    if not found:
        return "Nothing was spent: no notebook is known. Make one: python -m wrapper up"
    lines = []
    for one in found:
        first, last = (moment[:16].replace("T", " ") for moment in (one.since, one.until))
        lines += [
            f"{one.name}, {one.region}, {first} to {last} UTC: about ${one.total:.2f}",
            f"  machine    ${one.machines:9.4f}   {one.hours:.2f} hours in {len(one.runs)} runs",
            f"  disks      ${one.disks:9.4f}",
            f"  address    ${one.addresses:9.4f}",
            f"  snapshots  ${one.snapshots:9.4f}",
        ]
    if len(found) > 1:
        lines.append(f"all of it: about ${total:.2f}")
    told = dict.fromkeys(text for one in found for text in one.assumptions)
    return "\n".join([*lines, "Assumed:", *(f"  {text}" for text in told)])
