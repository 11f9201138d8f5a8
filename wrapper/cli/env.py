"""`env`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import partial

import click

from wrapper.cli import options, worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.settings import DEFAULT_NAME


@click.group()
def env() -> None:
    """Change the packages of the kernel on a machine that runs."""


@env.command()
@click.argument("file", default="environment.yml", type=click.Path(dir_okay=False))
@options.option("--name", default=DEFAULT_NAME, metavar="NAME", help="Which notebook.")
@click.option("--detach", is_flag=True, help="Start it, and do not wait.")
@options.as_json
@click.pass_context
def update(ctx: click.Context, file: str, *, name: str, detach: bool, as_json: bool) -> None:
    """Install what FILE asks for: environment.yml, conda-lock.yml, or what pip reads.

    That is a requirements.txt or pyproject.toml. "current" is the environment that is active in
    this shell, conda's or a virtual one.

    It goes on when this computer is closed; `run --attach` comes back. Kernels run on, with what
    they have imported. Where it fails, everything is as it was; the exit code is conda's, or pip's.
    """
    from wrapper import deployment, environment_file, run_plan  # noqa: PLC0415 (after --help)

    ctx.obj["name"] = name
    said = partial(click.echo, err=True)
    plan = run_plan.of_environment(environment_file.of_word(file, os.environ, said).sent())
    with Screen(all_to_stderr=as_json) as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if detach:
            started = deployment.start_run(world, name, plan)
            click.echo(json.dumps(asdict(started), indent=2) if as_json else started.name)
            return
        found = deployment.run(world, name, plan, fetch=False)
    if as_json:
        click.echo(json.dumps(asdict(found.run), indent=2))
    elif found.exit_code == 0:
        click.echo("Kernels that run keep what they have imported: restart them.", err=True)
    ctx.exit(found.exit_code)
