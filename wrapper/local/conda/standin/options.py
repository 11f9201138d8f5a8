"""The options that conda's commands share."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

SAYING = "a stand-in for conda: the packages are PyPI's (conda's servers cannot be reached here)"


def _parser(command: str, *, operands: str | None = None) -> ArgumentParser:
    parser = ArgumentParser(prog=f"conda {command}", allow_abbrev=False)
    add = parser.add_argument
    add("-n", "--name")
    add("-p", "--prefix")
    add("-f", "--file", action="append", default=[])
    add("-c", "--channel", action="append", default=[])
    for flag in ("-y --yes", "-q --quiet", "-d --dry-run", "-a --all", "-e --envs", "-v --verbose"):
        add(*flag.split(), action="store_true")
    for flag in ("json", "override-channels", "update", "prune", "force", "no-default-packages"):
        add(f"--{flag}", action="store_true")
    for flag in ("strict-channel-priority", "no-channel-priority", "freeze-installed", "offline"):
        add(f"--{flag}", action="store_true")
    for flag in ("export", "no-builds", "tarballs", "packages", "index-cache", "no-pin"):
        add(f"--{flag}", action="store_true")
    for flag in ("explicit", "md5"):
        add(f"--{flag}", action="store_true")
    add("--solver")
    if operands:
        add(operands, nargs="*")
    return parser


def parse(command: str, argv: list[str], operands: str | None = None) -> Namespace:
    """The options of a command, conda's own and some that mean nothing here."""
    return _parser(command, operands=operands).parse_intermixed_args(argv)


def say(options: Namespace, text: str) -> None:
    """Printed, unless it was to be quiet."""
    if not options.quiet and not options.json:
        print(text)
