"""`bake` and `images`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.data import SHOWS
from wrapper.cli.failure import fitting, program
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.baking import Baked


@click.command()
@options.name_argument
@click.option(
    "--reboot", is_flag=True, help="Shut the machine down for a moment: files at rest, kernels end."
)
@options.yes
@options.as_json
def bake(name: str, *, reboot: bool, yes: bool, as_json: bool) -> None:
    """Make an image of the machine, which runs on: the next `up` installs nothing.

    Of the root disk alone: packages and environments, not the data volume.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=yes))
        done = deployment.bake(world, name, reboot=reboot)
    if as_json:
        click.echo(json.dumps({**done.image.document(), "shows": done.shows}, indent=2))
        return
    made = done.image
    click.echo(
        fitting(
            f"{made.id}, {made.gib} GiB, about ${made.monthly_price:.2f} a month at most: "
            f"{SHOWS[done.shows]}\n"
            f"python -m wrapper up {name} begins with it. It holds what was on the disk until its "
            "first start: share it with nobody.",
            name,
        )
    )


@click.group(invoke_without_command=True)
@click.option("--name", metavar="NAME", help="Of this deployment only.")
@options.local
@options.region
@options.as_json
@click.pass_context
def images(
    ctx: click.Context,
    /,
    *,
    name: str | None,
    local: bool | None,
    region: str | None,
    as_json: bool,
) -> None:
    """Show the images that were baked in one region, and what they cost."""
    ctx.obj["where"] = (bool(local), region)
    if ctx.invoked_subcommand:
        return
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        found = deployment.images(world, deployment.Where(bool(local), region), name=name)
    if as_json:
        click.echo(json.dumps([one.document() for one in found], indent=2))
    else:
        click.echo(_table(found))


@images.command()
@options.name_argument
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="How many of the newest stay.",
)
@options.yes
@options.as_json
@click.pass_context
def prune(ctx: click.Context, /, name: str, *, keep: int, yes: bool, as_json: bool) -> None:
    """Remove the older images of NAME, with their snapshots."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=yes))
        where = deployment.Where(*ctx.obj["where"])
        gone = deployment.prune_images(world, name, where, keep=keep)
    if as_json:
        click.echo(json.dumps([one.document() for one in gone], indent=2))
    else:
        saved = sum(one.monthly_price for one in gone)
        click.echo(f"{len(gone)} removed, about ${saved:.2f} a month at most")


def _table(found: Sequence[Baked]) -> str:
    if not found:
        return f"No images here. Make one: {program()} bake"
    lines = [
        f"{one.id:<23} {one.name:<16} {_age(one.when):<12} {one.gib:>4} GiB  {one.architecture:<7} "
        f"{one.state:<10} ${one.monthly_price:.2f}  {one.base}"
        + (f"\n{'':<23} {one.packages}" if one.packages else "")
        for one in found
    ]
    total = sum(one.monthly_price for one in found)
    lines.append(
        f"about ${total:.2f} a month at most, by list price (billed by what is on the disks)"
    )
    return "\n".join(lines)


def _age(when: str) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 (after --help)

    age: Any = datetime.now(UTC) - datetime.fromisoformat(when)
    if age.days:
        return f"{age.days} days"
    hours = int(age.total_seconds() // 3600)
    return f"{hours} hours" if hours else f"{int(age.total_seconds() // 60)} minutes"
