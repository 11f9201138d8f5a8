"""`local`: the EC2 embedded in this computer."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.errors import LocalError

if TYPE_CHECKING:
    from wrapper.deployment.taking import Taken
    from wrapper.local import Status


_ZONE = click.option("--zone", metavar="ZONE", help="In this availability zone only.")


@click.group()
def local() -> None:
    """Start, stop and look at the EC2 embedded in this computer."""


@local.command()
@options.as_json
def start(*, as_json: bool) -> None:
    """It runs; nothing happens when it did."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    _tell(embedded.start(report=lambda text: click.echo(text, err=True)), as_json=as_json)


@local.command()
@options.as_json
def stop(*, as_json: bool) -> None:
    """It is gone, with every machine on it; nothing of it is left."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    _tell(embedded.stop(), as_json=as_json)


@local.command()
@options.as_json
def status(*, as_json: bool) -> None:
    """Whether it runs, and where."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    _tell(embedded.status(), as_json=as_json)


@local.command()
@click.argument("verb", type=click.Choice(("none", "back")))
@_ZONE
@click.option("--type", "instance_type", metavar="TYPE", help="Of this type only.")
@click.option(
    "--market", type=click.Choice(("spot", "on-demand", "both")), default="both", show_default=True
)
@options.as_json
def capacity(
    verb: str, zone: str | None, instance_type: str | None, market: str, *, as_json: bool
) -> None:
    """There is none left for new machines and stopped ones, or it is back. What runs goes on."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    embedded.capacity(verb, zone=zone, instance_type=instance_type, market=market)
    _tell_market(embedded.status().market, as_json=as_json)


@local.command()
@click.argument("instance_type", metavar="TYPE")
@click.argument("dollars")
@_ZONE
@click.option(
    "--after",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Time that machines have whose requests pay less.",
)
@click.option("--at", metavar="TIME", help="Since then, as 2026-11-23T10:00 in UTC: a history.")
@options.as_json
def price(  # noqa: PLR0913 (one for each option)
    instance_type: str,
    dollars: str,
    zone: str | None,
    after: float,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """An hour of TYPE costs DOLLARS on the spot market; who pays less is interrupted."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    embedded.price(instance_type, dollars, zone=zone, after=after, at=at)
    _tell_market(embedded.status().market, as_json=as_json)


@local.command()
@click.option(
    "--skip",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="So many have passed at once.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="TIMES",
    help="As fast as that from now on; 1 is real time.",
)
@options.as_json
def clock(skip: float, speed: float | None, *, as_json: bool) -> None:
    """Put its time forward: schedules, prices and interruptions follow, machines do not."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    told = embedded.clock(skip=skip, speed=speed)
    words = f"{told['now']}, {told['ahead']:.0f} s ahead, {told['speed']:g} times as fast"
    click.echo(json.dumps(told, indent=2) if as_json else words)


@local.command()
@options.name_argument
@click.option(
    "--after",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="From now to its end.  [default: 120; without notice 0]",
)
@click.option("--no-notice", is_flag=True, help="Its plug is pulled, and nothing is told before.")
@click.option(
    "--no-capacity",
    is_flag=True,
    help="None is left for it: it stays down until `local capacity back`.",
)
@options.yes
@options.as_json
def interrupt(  # noqa: PLR0913 (one for each option)
    name: str,
    *,
    after: float | None,
    no_notice: bool,
    no_capacity: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take a spot machine for want of capacity, as EC2 does, which also starts it again.

    `interrupt` rehearses by the Fault Injection Service, as it can be done on AWS; of what that
    stops, the owner starts it.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=yes))
        found = deployment.take(
            world, name, after=after, notice=not no_notice, capacity=not no_capacity
        )
    click.echo(json.dumps(found.document(), indent=2) if as_json else _taken(found))


def _taken(found: Taken) -> str:
    noticed = "with its notice before" if found.notice else "without notice"
    lines = [f"{found.name}: {found.instance_id}, {found.action} at {found.at}, {noticed}."]
    if found.action == "terminate":
        lines.append(f"It does not come back: python -m wrapper up {found.name}")
    elif found.capacity == "none":
        pool = f"--zone {found.zone} --type {found.instance_type} --market spot"
        lines += [
            "There is no capacity for it now. Bring it back, or move it:",
            f"  python -m wrapper local capacity back {pool}",
            f"  python -m wrapper up {found.name} --fallback zone",
        ]
    else:
        lines.append("EC2 starts it again by itself, some seconds after it has stopped.")
    lines.append(f"See it: python -m wrapper status {found.name} --watch")
    return "\n".join(lines)


@local.command()
def env() -> None:
    """The variables that point any AWS client at it, as `export` lines."""
    from wrapper import local as embedded  # noqa: PLC0415 (after --help)

    found = embedded.status()
    if not found.running:
        raise LocalError("The embedded EC2 does not run.", hint="python -m wrapper local start")
    for name, value in sorted(found.env.items()):
        click.echo(f"export {name}={shlex.quote(value)}")


def _tell(found: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
        return
    click.echo(f"running    {'yes' if found.running else 'no'}")
    if found.stage:
        click.echo(f"process    {found.pid}, {found.stage}")
    if found.running:
        click.echo(f"endpoint   {found.endpoint}\nprocess    {found.pid}")
        click.echo(f"machines   {len(found.machines)}")
        click.echo(f"code       {found.installation or 'not told'}")
        for line in _market(found.market):
            click.echo(line)
    click.echo(f"log        {found.log}")


def _tell_market(market: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(market, indent=2))
        return
    lines = _market(market)
    click.echo("\n".join(lines) if lines else "capacity   all of it")


def _market(market: dict[str, Any]) -> list[str]:
    """What was decided about it, a line each; none for a market left alone."""
    lines = []
    told = market.get("clock", {})
    if told and (told["ahead"] >= 1 or told["speed"] != 1):
        lines.append(f"clock      {told['ahead']:.0f} s ahead, {told['speed']:g} times as fast")
    for rule in market.get("capacity", []):
        verb = "back" if rule["given"] else "none"
        zone, market_of = rule["zone"] or "every zone", rule["market"] or "both markets"
        lines.append(
            f"capacity   {verb}: {rule['instance_type'] or 'every type'}, {zone}, {market_of}"
        )
    for one in market.get("prices", []):
        zone = one["zone"] or "every zone"
        lines.append(f"price      {one['instance_type']}, {zone}: {one['dollars']} $/h")
    lines += [
        f"quota      {one['market']}, {one['family']}: {one['vcpus']} vCPUs"
        for one in market.get("quotas", [])
    ]
    for one in market.get("interruptions", []):
        noticed = "" if one["notice"] else ", without notice"
        lines.append(f"interrupts {one['instance_id']}: {one['action']} at {one['at']}{noticed}")
    return lines


def _document(found: Status) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415 (after --help)

    return asdict(found)
