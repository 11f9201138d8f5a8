"""`configure` and `doctor`."""

from __future__ import annotations

import json
from typing import Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.options import option
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.errors import ExitCode


@click.command()
@click.argument("directory", required=False, type=click.Path(file_okay=False))
@option("--allow", multiple=True, metavar="CIDR", help="Who may reach it.  [default: you]")
@options.local
@options.password_file
@options.generate_password
@options.yes
@options.as_json
def configure(*, directory: str | None, as_json: bool, **given: Any) -> None:
    """Write a tfvars file for plain `terraform apply`: your address, a password's hash.

    DIRECTORY is the module's own when not given.
    """
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)

    person = Person(yes=given["yes"])
    file, generate = given["password_file"], bool(given["generate_password"])
    with Screen() as screen:
        done = deployment.configure(
            worlds.real(screen.report, person),
            Path(directory) if directory else None,
            allow=tuple(given["allow"]) or None,
            local=bool(given["local"]),
            new_password=lambda: person.choose_password(file, generate=generate),
        )
    shown = None if file else done.password
    if as_json:
        document = {
            "file": str(done.file),
            "allowed_cidrs": done.allowed_cidrs,
            "password": shown,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{done.file}: {', '.join(done.allowed_cidrs)} is let in")
    if shown:
        click.echo(f"password, kept nowhere else: {shown}")
    click.echo("Next: terraform init && terraform apply -var spot=true", err=True)


@click.command()
@options.as_json
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Say what is missing, here or in the account, and what mends it."""
    from wrapper import doctor as room  # noqa: PLC0415 (after --help)

    found = room.examine(worlds.real(lambda _: None, Person(yes=False)))
    if as_json:
        click.echo(json.dumps([one.document() for one in found], indent=2))
    else:
        for one in found:
            click.echo(f"{'ok' if one.ok else 'MISSING':<8} {one.name:<18} {one.detail}")
            if not one.ok and one.mend:
                click.echo(f"         → {fitting(one.mend, None)}")
    ctx.exit(ExitCode.DONE if room.usable(found) else ExitCode.FAILED)
