"""`clone`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.settings import DEFAULT_NAME


@click.command()
@click.argument("url", metavar="URL[@BRANCH]")
@options.option("--name", default=DEFAULT_NAME, metavar="NAME", help="Which notebook.")
@click.option(
    "--known-hosts",
    type=click.Path(exists=True, dir_okay=False),
    help="Where the server's host key is known.  [default: ssh's own files]",
)
@options.as_json
@click.pass_context
def clone(ctx: click.Context, /, url: str, name: str, **given: Any) -> None:
    """Clone a git repository into the machine's work folder, also a private one.

    URL is git@HOST:PATH, and the keys of this computer's ssh-agent are used while it clones; or
    https://HOST/PATH, with the credential that git has for it here. Neither stays there.
    """
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import deployment  # noqa: PLC0415 (after --help)

    ctx.obj["name"] = name
    known = Path(given["known_hosts"]) if given["known_hosts"] else None
    with Screen(all_to_stderr=given["as_json"]) as screen:
        world = worlds.real(screen.report, Person(yes=False))
        progress = sys.stderr.isatty()
        wish = deployment.CloneWish(known_hosts=known, progress=progress)
        found = deployment.clone(world, name, url, wish)
    if given["as_json"]:
        click.echo(json.dumps({"name": name, **asdict(found)}))
    else:
        click.echo(f"work/{found.folder} is on the machine.")
