"""`notify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person, hidden
from wrapper.cli.screen import Screen
from wrapper.errors import SettingsError, UnansweredError


@click.command()
@options.name_argument
@click.option("--webhook", is_flag=True, help="Ask for the webhook's address, and do not show it.")
@click.option(
    "--webhook-file",
    type=click.Path(dir_okay=False, exists=True),
    help="The address is the first line of this file.",
)
@click.option("--test", is_flag=True, help="Let the machine send a message now.")
@click.option("--off", is_flag=True, help="Tell nobody any more.")
@options.as_json
def notify(name: str, *, test: bool, off: bool, as_json: bool, **given: Any) -> None:
    """Be told by a webhook when the machine is interrupted or stops by itself, or a run ends.

    The machine itself tells it: Slack's, Discord's, Mattermost's, or any that takes JSON over
    https. Without options: which one.
    """
    from wrapper.deployment import notifying  # noqa: PLC0415 (after --help)

    file = given["webhook_file"]
    wanted = bool(given["webhook"] or file)
    if off and (wanted or test):
        raise click.UsageError("--off forgets the webhook: nothing else goes with it.")
    url = _address(file) if wanted else None
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if off:
            notifying.forget_webhook(world, name)
            host = None
        elif url is not None:
            host = notifying.set_webhook(world, name, url)
        else:
            host = notifying.webhook(world, name)
        if test:
            notifying.try_webhook(world, name)
    if as_json:
        click.echo(json.dumps({"name": name, "webhook_host": host, "tested": test}))
    elif host is None:
        click.echo(fitting(f"{name} tells nobody.", name))
    else:
        click.echo(f"{name} tells the webhook at {host}" + ("; a message is there" * test) + ".")


def _address(file: str | None) -> str:
    """Never from the command line: every user of this computer may read a process's arguments."""
    if file is None:
        if not Person(yes=False).there:
            raise UnansweredError(
                "Nobody is there to type the webhook's address.", hint="--webhook-file FILE"
            )
        return hidden("The webhook's address").strip()
    lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not lines[0].strip():
        raise SettingsError(f"{file} is empty.", hint="Its first line has to be the address.")
    return lines[0].strip()
