"""`open`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from wrapper.cli import options, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.errors import FailedError

if TYPE_CHECKING:
    from wrapper.carrier import Told
    from wrapper.carrier.standing import Standing
    from wrapper.deployment import World
    from wrapper.home import Home

_PAGE = "open.html"
"""The link for the browser: in its process's arguments every user of this computer could read it.
"""


@click.command("open")
@options.name_argument
@click.option(
    "--no-browser",
    "--print-url",
    "no_browser",
    is_flag=True,
    help="Print the link; start no browser.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Port here.  [default: always the same for NAME, where it is free]",
)
@click.option(
    "--editor",
    is_flag=True,
    help="Print an address for editors and other programs, with a token; start no browser.",
)
@click.option("--background", is_flag=True, help="Leave it open, and return.")
@click.option("--stop", is_flag=True, help="Close the one that is open.")
@click.option("--as-process", is_flag=True, hidden=True)
@options.as_json
def open_door(name: str, *, port: int | None, stop: bool, as_json: bool, **how: bool) -> None:
    """Open the notebook in the browser: no warning, no login. Until Ctrl-C.

    Carried from 127.0.0.1 over TLS that is pinned to the machine's key. The link printed is good
    for one use; then a new one is. Where it is open already, a new page opens.
    """
    from wrapper import deployment, home  # noqa: PLC0415 (after --help)

    if stop and (how["background"] or port):
        raise click.UsageError("--stop closes it: nothing else goes with it.")
    here = home.Home(home.root(os.environ) / name)
    browser = not (how["no_browser"] or how["editor"])
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if how["as_process"]:
            _hold_open(world, here, port, lambda *_, **__: None)
            return
        if stop:
            deployment.close_door(world, name)
            click.echo(json.dumps({"name": name}) if as_json else f"The door of {name} is closed.")
            return
        door = deployment.standing_door(world, name)
        if door is not None and port not in (None, door.port):
            raise FailedError(
                f"The door of {name} is open at port {door.port}, and not {port}.",
                hint=f"Close that one: python -m wrapper open {name} --stop",
            )
        if door is None and how["background"]:
            door = deployment.open_behind(world, name, port=port)
        if door is None:
            told = _telling(here, as_json=as_json, browser=browser, editor=how["editor"])
            _hold_open(world, here, port, told)
            return
        _show(here, door, as_json=as_json, browser=browser, editor=how["editor"])


def for_editors(port: int, token: str) -> str:
    """The address that editors and other programs take; secret."""
    return f"http://127.0.0.1:{port}/?token={token}"


def _telling(here: Home, *, as_json: bool, browser: bool, editor: bool) -> Told:
    """Says the first link, and each that follows."""

    def told(url: str, port: int, *, first: bool, token: str) -> None:
        if as_json:
            if first:
                known = {"name": here.name, "url": url, "port": port, "token": token}
                click.echo(json.dumps(known))
        elif editor:
            if first:
                click.echo(for_editors(port, token))
        else:
            click.echo(url if first else f"Opened. The next link: {url}", err=not first)
        if first and browser:
            _start_browser(here, url)

    return told


def _hold_open(world: World, here: Home, port: int | None, told: Told) -> None:
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    def heard(url: str, port: int, *, first: bool, token: str) -> None:
        told(url, port, first=first, token=token)
        if not first:
            (here.path / _PAGE).unlink(missing_ok=True)

    try:
        deployment.open_door(world, here.name, heard, port=port)
    finally:
        (here.path / _PAGE).unlink(missing_ok=True)


def _show(here: Home, door: Standing, *, as_json: bool, browser: bool, editor: bool) -> None:
    """The link of a door that another process holds open, and a page of it."""
    if as_json:
        click.echo(json.dumps({"name": here.name, **asdict(door)}))
    else:
        click.echo(for_editors(door.port, door.token) if editor else door.url)
        end = fitting(f"Open until: python -m wrapper open {here.name} --stop", here.name)
        click.echo(f"{end} (process {door.pid})", err=True)
    if browser:
        _start_browser(here, door.url)


def _start_browser(here: Home, url: str) -> None:
    import webbrowser  # noqa: PLC0415 (after --help)

    file = here.write(
        _PAGE, f'<!doctype html><meta http-equiv="refresh" content="0; url={url}"><p>Opening\n'
    )
    if not webbrowser.open(file.as_uri()):
        click.echo("No browser was found: open the link above.", err=True)
