"""The command line: arguments in, words and an exit code out. Everything else is in the stories.

Light to import: `--help` loads click and these modules, and nothing that they call.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from wrapper import project_file
from wrapper.cli import (
    cloning,
    costs,
    daily,
    data,
    env,
    everywhere,
    files,
    images,
    lifecycle,
    local,
    logs,
    market,
    notifying,
    opening,
    rehearsal,
    resting,
    runs,
    surroundings,
    ways,
)
from wrapper.cli.failure import fail, in_words, program
from wrapper.errors import CloudsError, ExitCode, Interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = (
    "Defaults come from jupyter-clouds.toml in this directory; the environment's JUPYTER_CLOUDS_* "
    "goes before it, and options before both. Exit codes: 0 done, or nothing to do; 1 failed; "
    "2 usage; 3 the machine exists (and costs money) but the notebook does not answer; "
    "130 interrupted. `ssh` and `run` end with the exit code of what ran there."
)


_ONLY_TYPED = (
    *("yes", "as_json", "replace", "watch", "fresh", "fresh_data", "from_region", "synced"),
    *("ran", "parameters", "outputs", "kernel", "beside", "after"),
)
_ELSEWHERE = dict.fromkeys(("down", "snapshot"), ("snapshots_kept", "manual_kept"))
"""Keys of the project file that other commands than `up` take."""


def _tell_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Also in a clone, where nothing is installed under that name."""
    if not wanted:
        return
    from importlib import metadata  # noqa: PLC0415 (after --help)

    try:
        version = metadata.version("jupyter-clouds")
    except metadata.PackageNotFoundError:
        version = "of this clone; see CHANGELOG.md"
    click.echo(f"jupyter-clouds, version {version}")
    ctx.exit()


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added: in the order of a deployment's life."""
        del ctx
        return list(self.commands)


@click.group(cls=_InOrder, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A JupyterLab on EC2 with one command: TLS, a password, conda, and nothing left behind."""
    defaults = project_file.read(_directory(), known=_known_keys())
    common = {key: value for key, value in defaults.items() if key == "name"}
    ctx.default_map = {
        one: common | {key: defaults[key] for key in defaults if key in _ELSEWHERE.get(one, ())}
        for one in cli.commands
    } | {"up": _as_options(defaults)}


for command in (
    lifecycle.up,
    market.offers,
    market.prices,
    daily.status,
    daily.every,
    daily.check,
    daily.password,
    surroundings.configure,
    daily.allow,
    opening.open_door,
    ways.ssh,
    ways.ssh_config,
    cloning.clone,
    files.push,
    files.pull,
    files.sync,
    env.env,
    runs.run,
    logs.logs,
    resting.stop,
    resting.start,
    resting.extend,
    resting.resize,
    costs.cost,
    costs.budget,
    notifying.notify,
    rehearsal.interrupt,
    data.snapshot,
    data.snapshots,
    images.bake,
    images.images,
    lifecycle.down,
    everywhere.sweep,
    local.local,
    surroundings.doctor,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """What happened, as an exit code; whatever is no CloudsError is a bug and is raised."""
    # SIGINT too: Python leaves it ignored in what a script has started with `&`.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if one is not signal.SIGHUP or signal.getsignal(one) is not signal.SIG_IGN:  # by nohup
            signal.signal(one, _as_ctrl_c)
    given = list(sys.argv[1:] if arguments is None else arguments)
    context: dict[str, Any] = {"json": "--json" in given, "name": None}
    try:
        code = cli.main(args=given, prog_name=program(), standalone_mode=False, obj=context)
    except click.exceptions.Exit as wish:
        return wish.exit_code
    except click.ClickException as error:
        return fail(in_words(error), context)
    except CloudsError as error:
        return fail(error, context)
    except (KeyboardInterrupt, click.Abort):
        return fail(Interrupted("Interrupted."), context)
    except BrokenPipeError:
        # Whoever read the output has left (`| head`); nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.DONE


def _as_ctrl_c(*_: object) -> None:
    raise KeyboardInterrupt


def _directory() -> Any:
    from pathlib import Path  # noqa: PLC0415 (after --help)

    return Path.cwd()


def _known_keys() -> set[str]:
    of_up = {
        parameter.name
        for parameter in lifecycle.up.params
        if parameter.name and parameter.name not in _ONLY_TYPED
    }
    return of_up.union(*_ELSEWHERE.values())


def _as_options(defaults: dict[str, Any]) -> dict[str, Any]:
    """A table of tags, and a list of fallbacks, as the options take them."""
    found = dict(defaults)
    if isinstance(tags := defaults.get("tags"), dict):
        found["tags"] = [f"{key}={value}" for key, value in tags.items()]
    if isinstance(fallback := defaults.get("fallback"), list):
        found["fallback"] = ",".join(map(str, fallback))
    return found
