"""`local`: the EC2 embedded in this computer."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options
from wrapper.errors import LocalError

if TYPE_CHECKING:
    from wrapper.local import Status


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
    if found.running:
        click.echo(f"endpoint   {found.endpoint}\nprocess    {found.pid}")
        click.echo(f"machines   {len(found.machines)}")
        click.echo(f"code       {found.installation or 'not told'}")
    click.echo(f"log        {found.log}")


def _document(found: Status) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415 (after --help)

    return asdict(found)
