"""`snapshot` and `snapshots`."""

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
    from wrapper.deployment.copies import Copies
    from wrapper.deployment.kept import Kept

SHOWS = {
    "clean": "of a volume at rest",
    "flushed": "of a running machine; all that was saved was written out a moment before",
    "crash-consistent": "of a running machine, as after a power cut: what was written in the last "
    "half minute may be missing",
}


@click.command()
@options.name_argument
@options.local
@options.region
@options.snapshots_kept
@options.manual_kept
@options.yes
@options.as_json
def snapshot(name: str, *, as_json: bool, **given: Any) -> None:
    """Take a snapshot of the data now; the machine runs on."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        done = deployment.snapshot(
            worlds.real(screen.report, Person(yes=given["yes"])),
            name,
            deployment.Where(bool(given["local"]), given["region"]),
            snapshots_kept=given["snapshots_kept"],
            manual_kept=given["manual_kept"],
        )
    if as_json:
        document = {"name": name, "shows": done.shows, "snapshot": asdict(done.snapshot)}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"{done.snapshot.words}: {SHOWS[done.shows]}")


@click.command()
@options.name_argument
@options.local
@options.region
@click.option("--delete", metavar="ID", help="Delete this snapshot, or kept volume.")
@options.yes
@options.as_json
def snapshots(name: str, *, as_json: bool, **given: Any) -> None:
    """Show what is kept of the data in one region, and what it costs."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    where = deployment.Where(bool(given["local"]), given["region"])
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=given["yes"]))
        if given["delete"]:
            deployment.delete_kept(world, name, given["delete"], where)
        found = deployment.snapshots(world, name, where)
    click.echo(json.dumps(found.document(), indent=2) if as_json else _table(found))


def _table(found: Copies) -> str:
    everything = (*found.volumes, *found.snapshots)
    if not everything:
        return fitting(f"Nothing is kept of {found.name} in {found.region}.", None)
    lines = [_line(one) for one in everything]
    lines.append(
        f"about ${found.monthly_price:.2f} a month at most, by us-east-1's list prices "
        "(snapshots share what did not change)"
    )
    return "\n".join(lines)


def _line(one: Kept) -> str:
    kind = one.taken or ("kept volume" if one.kind == "volume" else "-")
    when = one.when.replace("T", " ")[:16]
    return (
        f"{one.id:<23} {when:<17} {one.gib:>5} GiB  {kind:<12} {one.state:<10} "
        f"${one.monthly_price:.2f}"
    )
