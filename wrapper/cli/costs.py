"""`cost` and `budget`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.budgeting import Budget
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


@click.command()
@options.name_argument
@click.option("--all", "every", is_flag=True, help="One for all notebooks of the account.")
@click.option("--monthly", type=float, metavar="DOLLARS", help="So much a month, in US dollars.")
@click.option("--email", metavar="ADDRESS", help="Who gets a mail at 50, 80 and 100 %.")
@click.option("--remove", is_flag=True, help="There shall be none.")
@options.local
@options.as_json
@click.pass_context
def budget(ctx: click.Context, /, name: str, *, every: bool, as_json: bool, **given: Any) -> None:
    """Set an alert by AWS Budgets. It is hours late: an alert, not a guard."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    typed = ctx.get_parameter_source("name") is click.core.ParameterSource.COMMANDLINE
    if every and typed:
        raise click.UsageError("--all is for all notebooks: say no name.")
    if given["local"] and not every:
        raise click.UsageError("--local says which account: it goes with --all.")
    if given["remove"] == (given["monthly"] is not None):
        raise click.UsageError("Either --monthly DOLLARS or --remove.")
    of, local = None if every else name, bool(given["local"])
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if given["remove"]:
            found = deployment.remove_budget(world, of, local=local)
        else:
            found = deployment.budget(
                world, of, monthly=given["monthly"], email=given["email"], local=local
            )
    if as_json:
        click.echo(json.dumps(found.document(), indent=2))
    else:
        click.echo(fitting(_budget(found), of))


def _budget(found: Budget) -> str:
    whose = found.name or "all notebooks of the account"
    if found.monthly is None:
        gone = "is removed" if found.changed else "was not there"
        return f"The budget of {whose} {gone}."
    to = f"; mails to {found.email} at 50, 80 and 100 %" if found.email else ""
    return (
        f"A budget of ${found.monthly:.2f} a month for {whose}{to}.\n"
        "AWS Budgets looks a few times a day, at costs that are hours old: an alert, not a guard.\n"
        "What stops a machine: python -m wrapper up --idle MINUTES --hours HOURS"
    )


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
