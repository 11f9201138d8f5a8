"""`sweep`, and the whole account for `list --all-regions`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from wrapper.deployment.sweeping import Swept
    from wrapper.deployment.take_down import Down
    from wrapper.deployment.whole_account import Found

CHOICES = ("snapshot", "keep", "delete")


def regions_of(text: str | None) -> tuple[str, ...]:
    """Of a list with commas; none for all."""
    return tuple(one.strip() for one in (text or "").split(",") if one.strip() not in ("", "all"))


def regions_asked(text: str | None) -> tuple[str, ...]:
    """Of a list with commas: none for the one in use, "all" for all."""
    return ("all",) if (text or "").strip() == "all" else regions_of(text)


@click.command()
@options.local
@click.option(
    "--regions", metavar="A,B", help="Only these regions.  [default: all that the account can use]"
)
@click.option(
    "--machines", is_flag=True, help="Also what has a machine: it may be another computer's."
)
@click.option(
    "--data", type=click.Choice(CHOICES), help="What becomes of data; asked when not said."
)
@options.yes
@options.as_json
def sweep(*, machines: bool, as_json: bool, **given: Any) -> None:
    """Find by tag, in all regions, what no computer ends any more, and end it.

    Deployments that this computer remembers are left to down, data that was kept on purpose to
    snapshots.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        done = deployment.sweep(
            worlds.real(screen.report, Person(yes=given["yes"])),
            local=bool(given["local"]),
            regions=regions_of(given["regions"]),
            machines=machines,
            wish=deployment.Wish(given["data"]),
        )
    click.echo(json.dumps(_document(done), indent=2) if as_json else _text(done))


def _document(done: Swept) -> dict[str, Any]:
    return {
        "ended": [asdict(one) for one in done.ended],
        "spared": [{**one.document(), "why": why} for one, why in done.spared],
    }


def _text(done: Swept) -> str:
    lines = [f"{line(one)}\n  {why}" for one, why in done.spared]
    return fitting("\n".join([*lines, f"{len(done.ended)} swept"]), None)


def line(one: Found) -> str:
    """One row of a list."""
    from wrapper.deployment import sweeping  # noqa: PLC0415 (after --help)

    monthly = sum(thing.monthly_price for thing in one.kept)
    data = f", kept data ${monthly:.2f} a month" if one.kept else ""
    so_far = "" if one.spent is None else f"; about ${one.spent:.2f} so far"
    return f"{one.name:<16} {one.region:<14} {one.state:<10} {sweeping.price(one)}{data}{so_far}"


def ended(done: list[Down]) -> str:
    """Of `down --all`."""
    if not done:
        return "No deployments on this computer."
    return "\n".join(
        f"{one.name:<16} {len(one.left)} left"
        + "".join(f", kept: {thing.words}" for thing in one.kept[:1])
        for one in done
    )
