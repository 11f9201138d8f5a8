"""Writes docs/module.md from the HCL and docs/commands.md from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import click

from wrapper.cli import cli
from wrapper.errors import ExitCode

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
MODULE = """# Variables and outputs of the module

Made from `variables.tf` and `outputs.tf` by `scripts/reference.py`; a test keeps it so. The
module has no provider block: region and credentials are your provider's. Deployable examples are
in [`examples/`](../examples).
"""


def attribute(body: str, name: str) -> str | None:
    """The attribute's value as it is written, if the block has it on its first level."""
    found = re.search(rf"^  {name}\s*= (.*)$", body, re.MULTILINE)
    return found.group(1) if found else None


def cell(text: str) -> str:
    """Text that does not break a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def description(body: str) -> str:
    """The description, unquoted."""
    written = attribute(body, "description")
    if written is None:
        raise SystemExit(f"no description in:\n{body}")
    return cell(written.strip('"').replace('\\"', '"'))


def rows(text: str) -> list[tuple[str, str]]:
    """Name and body of every block, in the file's order."""
    return [(found[2], found[3]) for found in BLOCK.finditer(text)]


def module_page() -> str:
    """docs/module.md."""
    lines = [
        MODULE,
        "## Variables\n",
        "| name | type | default | what |",
        "|---|---|---|---|",
    ]
    for name, body in rows((ROOT / "variables.tf").read_text()):
        shown = (attribute(body, "type") or "", attribute(body, "default") or "required")
        kind, default = (f"`{cell(text)}`" for text in shown)
        lines.append(f"| `{name}` | {kind} | {default} | {description(body)} |")
    lines += ["\n## Outputs\n", "| name | what |", "|---|---|"]
    for name, body in rows((ROOT / "outputs.tf").read_text()):
        secret = " (sensitive)" if attribute(body, "sensitive") == "true" else ""
        lines.append(f"| `{name}` | {description(body)}{secret} |")
    return "\n".join(lines) + "\n"


COMMANDS = """# Commands

Made from the command line itself by `scripts/reference.py`; a test keeps it so.

`python -m wrapper COMMAND [NAME] [options]` in a clone, `jupyter-clouds COMMAND` once installed,
and `jupyter clouds COMMAND` where there is a `jupyter` too (`pip install jupyter-core`).
NAME is `notebook` when not given. Defaults come from `jupyter-clouds.toml` in the working
directory (keys as the options, with underscores: `instance_type = "r7i.large"`); the environment's
`JUPYTER_CLOUDS_*` goes before it, and options before both. An unknown key is an error.

With `--json` one JSON document is on standard output, everything else on standard error. `--yes`
answers every question; without a terminal and without it, a question is an error that names the
option.

## Exit codes

| code | meaning |
|---|---|
"""
MEANINGS = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.FAILED: "failed, with a hint",
    ExitCode.USAGE: "what was asked for cannot be; nothing was made",
    ExitCode.NO_ANSWER: "the machine exists, and costs money, but the notebook does not answer",
    ExitCode.INTERRUPTED: "interrupted; the message says what exists and the two ways on",
}


OF_OTHERS = """
`ssh NAME -- COMMAND` and `run` end with the exit code of what ran there, whatever it is: 128 and
the number for a signal. `run` ends with 143 for a run that was cancelled or interrupted, and with
130 where Ctrl-C left one that goes on; `run --json` has the run's own as `run.exit_code`, and an
error of ours as `error`."""


def leaves(group: click.Group, path: str = "") -> list[tuple[str, click.Command]]:
    """Every command that does something, with its full name."""
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += leaves(command, f"{path}{name} ")
        else:
            found.append((f"{path}{name}", command))
    return found


def option_row(option: click.Option) -> str:
    """One option as a row."""
    flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
    return f"| {flags} | {cell(option.help or '')} |"


def commands_page() -> str:
    """docs/commands.md."""
    lines = [COMMANDS + "\n".join(f"| {code.value} | {MEANINGS[code]} |" for code in ExitCode)]
    lines.append(OF_OTHERS)
    for name, command in leaves(cli):
        what = " ".join((command.help or "").split())
        lines.append(f"\n## {name}\n\n{what}")
        options = [one for one in command.params if isinstance(one, click.Option)]
        if options:
            lines += ["\n| option | what |", "|---|---|", *(option_row(one) for one in options)]
    return "\n".join(lines) + "\n"


PAGES = {"docs/module.md": module_page, "docs/commands.md": commands_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / name).write_text(page())
