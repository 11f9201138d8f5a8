"""`ssh` and `ssh-config`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


class WithWords(click.Command):
    """What follows `--` is not ours to read."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words are kept; the rest is parsed as ever."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["words"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """As for every command, and the words."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@click.command(cls=WithWords)
@options.name_argument
@click.option("-t", "--tty", is_flag=True, help="A terminal for COMMAND too.")
@click.pass_context
def ssh(ctx: click.Context, name: str, *, tty: bool) -> None:
    """Open a shell on the machine, or run COMMAND there and end with its exit code.

    The host key is the one that the console shows. 255: the connection was lost.
    """
    from wrapper import openssh  # noqa: PLC0415 (after --help)

    there = _connect(name)
    sys.stdout.flush()
    openssh.become(
        openssh.command(there, ctx.meta["words"], ("-t",) if tty else ()), there, os.environ
    )


@click.command("ssh-config")
@options.name_argument
@click.option(
    "--file",
    type=click.Path(dir_okay=False),
    help="Configuration of ssh to add it to.  [default: ~/.ssh/config]",
)
@click.option("--print", "printed", is_flag=True, help="Print the entry; change nothing.")
@click.option("--remove", is_flag=True, help="Take our line out again.")
@options.yes
def ssh_config(name: str, *, printed: bool, remove: bool, **given: Any) -> None:
    """Make `ssh clouds-NAME`, scp, rsync and VS Code find the machine; `down` ends it."""
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import home, openssh, ssh_include  # noqa: PLC0415 (after --help)
    from wrapper.deployment.ssh import users_config  # noqa: PLC0415 (after --help)

    file = Path(given["file"]).expanduser() if given["file"] else users_config()
    root = home.root(os.environ)
    if remove:
        ssh_include.remove(file, root)
        click.echo(f"{file}: nothing of ours is in it", err=True)
        return
    there = _connect(name)
    if printed:
        click.echo((there / openssh.CONFIG).read_text(encoding="utf-8"), nl=False)
        return
    if not ssh_include.included(file, root):
        line = ssh_include.line(root)
        if not Person(yes=given["yes"]).confirm(f"At the top of {file}:\n  {line}\n\nGo on?"):
            click.echo(
                f"Without it: ssh -F {there / openssh.CONFIG} {openssh.alias(name)}", err=True
            )
            return
        ssh_include.include(file, root)
    click.echo(openssh.alias(name))


def _connect(name: str) -> Path:
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        return deployment.connect(worlds.real(screen.report, Person(yes=False)), name)
