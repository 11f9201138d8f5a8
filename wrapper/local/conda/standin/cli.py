"""The commands: conda's words in, conda's exit codes out."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from . import explicit, packages, prefixes, report, shell, specs
from .options import SAYING, parse, say
from .packages import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable


def _from_files(files: list[str]) -> tuple[Wanted, str | None]:
    """What the files ask for, and the name that one of them gives the environment."""
    wanted, name = Wanted(), None
    for file in files:
        try:
            text = Path(file).read_text()
            loaded = yaml.safe_load(text) if file.endswith((".yml", ".yaml")) else None
        except (OSError, yaml.YAMLError) as error:
            raise specs.SpecError(f"EnvironmentFileNotFound: '{file}': {error}") from error
        if loaded is None:
            lines = [line.split("#")[0].strip() for line in text.splitlines()]
            if explicit.MARK in lines:
                wanted.exact += explicit.addresses(lines)
            else:
                wanted.conda += [line for line in lines if line]
            continue
        if not isinstance(loaded, dict) or not isinstance(loaded.get("dependencies"), list):
            raise specs.SpecError(f"EnvironmentFileEmpty: '{file}' has no list of dependencies")
        name = loaded.get("name", name)
        for entry in loaded["dependencies"]:
            if isinstance(entry, dict):
                wanted.pip += [str(line) for line in entry.get("pip") or []]
            else:
                wanted.conda.append(str(entry))
    return wanted, name


def create(argv: list[str], *, from_env: bool = False) -> int:
    """A new environment; on failure nothing of it is left."""
    options = parse("create", argv, "packages_wanted")
    files = options.file or (["environment.yml"] if from_env else [])
    wanted, name = _from_files(files)
    wanted.conda += options.packages_wanted
    if not (options.name or options.prefix or (from_env and name)):
        raise prefixes.PrefixError("ArgumentError: one of --name, --prefix is required")
    prefix = prefixes.chosen(options.name or (None if options.prefix else name), options.prefix)
    if prefixes.is_environment(prefix):
        if not options.yes:
            raise prefixes.PrefixError(f"CondaValueError: prefix already exists: {prefix}")
        shutil.rmtree(prefix)
    say(options, f"{SAYING}\nCollecting package metadata, solving, installing into {prefix}")
    lines = packages.requirements(wanted)  # what cannot be had is told before anything is made
    if options.dry_run:
        return 0
    fresh = not prefix.exists()
    exact = explicit.requirements(wanted.exact)
    try:
        packages.make(prefix)
        packages.install(prefix, lines, quiet=options.quiet)
        packages.install(prefix, exact, quiet=options.quiet, alone=True)
    except BaseException:
        if fresh:
            shutil.rmtree(prefix, ignore_errors=True)
        raise
    prefixes.remember(prefix, sys.argv, wanted.conda)
    say(options, f"#\n# To activate this environment, use\n#\n#     $ conda activate {prefix}\n#")
    if options.json:
        print(json.dumps({"success": True, "prefix": str(prefix)}))
    return 0


def install(argv: list[str], *, upgrade: bool = False, from_env: bool = False) -> int:
    """The packages are in the environment."""
    options = parse("install", argv, "packages_wanted")
    files = options.file or (["environment.yml"] if from_env else [])
    wanted, name = _from_files(files)
    wanted.conda += options.packages_wanted
    prefix = prefixes.chosen(options.name or (None if options.prefix else name), options.prefix)
    prefixes.existing(prefix)
    if options.all:
        here = {item["name"] for item in packages.listed(prefix)} - {"python"}
        wanted.pip += sorted(here)
    if not (wanted.conda or wanted.pip or wanted.exact):
        raise specs.SpecError("CondaValueError: too few arguments, must supply package specs")
    say(options, f"{SAYING}\nCollecting package metadata, solving, installing into {prefix}")
    lines = packages.requirements(Wanted(conda=wanted.conda))
    exact = explicit.requirements(wanted.exact)
    if options.dry_run:
        return 0
    # As conda: pip's part comes behind its own, which stays when pip fails.
    packages.install(prefix, lines, quiet=options.quiet, upgrade=upgrade)
    packages.install(prefix, exact, quiet=options.quiet, alone=True)
    packages.install(prefix, wanted.pip, quiet=options.quiet, upgrade=upgrade)
    prefixes.remember(prefix, sys.argv, wanted.conda)
    return 0


def update(argv: list[str]) -> int:
    """The packages are as new as can be."""
    return install(argv, upgrade=True)


def remove(argv: list[str]) -> int:
    """The packages, or with --all the environment, are gone."""
    options = parse("remove", argv, "packages_wanted")
    prefix = prefixes.existing(prefixes.chosen(options.name, options.prefix))
    if options.all:
        if prefix == prefixes.ROOT:
            raise prefixes.PrefixError("CondaValueError: cannot remove the base environment")
        shutil.rmtree(prefix)
        return 0
    packages.remove(prefix, options.packages_wanted, quiet=options.quiet)
    prefixes.remember(prefix, sys.argv, options.packages_wanted)
    return 0


def run(argv: list[str]) -> int:
    """The command ran inside the environment; its exit code."""
    name = prefix = None
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in {"-n", "--name"}:
            name = rest.pop(0)
        elif option in {"-p", "--prefix"}:
            prefix = rest.pop(0)
        elif option == "--cwd":
            os.chdir(rest.pop(0))
    where = prefixes.existing(prefixes.chosen(name, prefix))
    if not rest:
        raise specs.SpecError("ArgumentError: conda run needs a command")
    script = shell.activate(str(where)) + 'exec "$@"\n'
    sys.stdout.flush()
    os.execvp("bash", ["bash", "-c", script, "conda-run", *rest])  # noqa: S606 - the very purpose


def env(argv: list[str]) -> int:
    """`conda env VERB`."""
    verbs: dict[str, Callable[[list[str]], int]] = {
        "create": lambda rest: create(rest, from_env=True),
        "update": lambda rest: install(rest, from_env=True),
        "list": report.list_environments,
        "export": report.export,
        "remove": lambda rest: remove([*rest, "--all"]),
    }
    if not argv or argv[0] not in verbs:
        raise specs.SpecError(f"conda env: one of {', '.join(verbs)} is required")
    return verbs[argv[0]](argv[1:])


def in_shell(argv: list[str]) -> int:
    """`conda shell.posix VERB`: printed, for a shell to eval."""
    verb, where = [*argv, None, None][1:3]
    if verb == "hook":
        print(shell.hook())
    elif verb == "activate":
        print(shell.activate(where), end="")
    elif verb == "deactivate":
        print(shell.deactivate(), end="")
    elif verb != "reactivate":
        raise specs.SpecError(f"conda: the stand-in knows no `{verb}` here")
    return 0


def nothing(argv: list[str]) -> int:
    """What needs no doing here: there is no configuration, and the cache is uv's."""
    del argv
    return 0
