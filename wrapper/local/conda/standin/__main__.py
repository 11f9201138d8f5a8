"""`conda` and `mamba` as they are typed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import cli, report
from .options import SAYING
from .prefixes import PrefixError
from .specs import SpecError
from .version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS: dict[str, Callable[[list[str]], int] | None] = {
    "activate": None,
    "clean": cli.nothing,
    "config": cli.nothing,
    "create": cli.create,
    "deactivate": None,
    "env": cli.env,
    "export": report.export,
    "info": report.info,
    "init": cli.nothing,
    "install": cli.install,
    "list": report.list_packages,
    "remove": cli.remove,
    "run": cli.run,
    "uninstall": cli.remove,
    "update": cli.update,
    "upgrade": cli.update,
}


def main(argv: list[str]) -> int:
    """What conda would exit with."""
    if argv[:1] in (["--version"], ["-V"]):
        print(f"{Path(sys.argv[0]).name} {VERSION}")
        return 0
    if not argv or argv[0] in {"-h", "--help"}:
        print(f"{SAYING}\n\ncommands: {' '.join(sorted(COMMANDS))}")
        return 0
    if argv[0].startswith("shell."):
        return cli.in_shell(argv)
    if argv[0] not in COMMANDS:
        raise SpecError(f"ArgumentError: the stand-in for conda knows no '{argv[0]}'")
    action = COMMANDS[argv[0]]
    if action is None:
        raise SpecError("CondaError: Run 'conda init' before 'conda activate'")
    return action(argv[1:])


def start() -> None:
    """Runs, and exits."""
    try:
        sys.exit(main(sys.argv[1:]))
    except (SpecError, PrefixError) as error:
        print(f"\n{error}\n", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os._exit(1)
