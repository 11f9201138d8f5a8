"""An error as a person, and a program, gets to see it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from wrapper.errors import ExitCode, UsageError
from wrapper.project_file import FILE

if TYPE_CHECKING:
    from wrapper.errors import CloudsError

_PROGRAM = "python -m wrapper"
_OF_ONE = re.compile(
    r"(python -m wrapper "
    r"(?:up|down|status|check|password|allow|ssh|start|stop|interrupt|logs|snapshots?))"
    r"(?= --| with |[.,;:)]|$| ?\n)"
)


def program() -> str:
    """How this was called, for the next command to type."""
    called = Path(sys.argv[0])
    return _PROGRAM if called.name == "__main__.py" or not called.name else called.name


def fitting(text: str, name: str | None) -> str:
    """A hint with the deployment's own name in it, and the program as it was called."""
    if name and name != "notebook":
        text = _OF_ONE.sub(rf"\1 {name}", text)
    return text.replace(_PROGRAM, program())


def in_words(error: click.ClickException) -> UsageError:
    """click's complaint as ours: also what was not typed, but stood in a file or a variable."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    command = ctx.command_path if ctx else program()
    help_of = f"{_PROGRAM}{command.removeprefix(program())} --help"
    return UsageError(_origin(error) + error.format_message(), hint=help_of)


def _origin(error: click.ClickException) -> str:
    """Where a wrong value was found; empty for one that was typed."""
    if not isinstance(error, click.BadParameter) or not error.ctx or not error.param:
        return ""
    source = error.ctx.get_parameter_source(error.param.name or "")
    if source is ParameterSource.DEFAULT_MAP:
        return f"{FILE}: "
    if source is ParameterSource.ENVIRONMENT:
        return f"The environment's {error.param.envvar}: "
    return ""


def fail(error: CloudsError, context: dict[str, Any]) -> ExitCode:
    """It was said on standard error, and with --json on standard output too."""
    message = fitting(error.message, context.get("name"))
    hint = fitting(error.hint, context.get("name")) if error.hint else None
    if error.exit_code is ExitCode.DONE:
        click.echo(message, err=True)
    else:
        click.secho(f"error: {message}", err=True, fg="red")
    if hint:
        click.echo(f"  → {hint}", err=True)
    if context.get("json"):
        failed = {"error": message, "hint": hint, "exit_code": int(error.exit_code)}
        # What was done before it is worth knowing, as of a machine that costs money.
        click.echo(json.dumps({**context.get("document", {}), **failed}, indent=2))
    return error.exit_code
