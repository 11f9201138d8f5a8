"""Prefixes: where environments are, which one is meant, what conda remembers in them."""

from __future__ import annotations

import datetime as dt
import os
import pwd
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The prefix this stand-in was laid down in: PREFIX/standin/standin/prefixes.py."""


class PrefixError(Exception):
    """There is no such environment, or it may not be written."""


def _home() -> Path:
    return Path(os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)


def directories() -> list[Path]:
    """Where environments are looked for, and made in the first that may be written."""
    inside, own = ROOT / "envs", _home() / ".conda/envs"
    writable = os.access(inside if inside.exists() else ROOT, os.W_OK)
    return [inside, own] if writable else [own, inside]


def packages() -> Path:
    """Where packages are kept for the next environment."""
    shared = ROOT / "pkgs"
    return shared if os.access(shared, os.W_OK) else _home() / ".conda/pkgs"


def is_environment(prefix: Path) -> bool:
    """Whether conda would call it an environment."""
    return (prefix / "conda-meta/history").exists()


def all_environments() -> list[Path]:
    """The base first, then all others."""
    found = [path for top in directories() if top.is_dir() for path in sorted(top.iterdir())]
    known = _home() / ".conda/environments.txt"
    if known.exists():
        found += [Path(line) for line in known.read_text().split("\n") if line]
    return [ROOT, *dict.fromkeys(path for path in found if is_environment(path) and path != ROOT)]


def named(name: str) -> Path:
    """Where the environment of that name is, or would be made."""
    if name in {"base", "root"}:
        return ROOT
    if "/" in name:
        raise PrefixError(f"CondaValueError: Invalid environment name: '{name}'")
    for top in directories():
        if is_environment(top / name):
            return top / name
    return directories()[0] / name


def chosen(name: str | None, prefix: str | None) -> Path:
    """By -n, by -p, or the active one, or the base."""
    if name and prefix:
        raise PrefixError("CondaValueError: Cannot use both --name and --prefix")
    if prefix:
        return Path(prefix).expanduser().absolute()
    if name:
        return named(name)
    return Path(os.environ.get("CONDA_PREFIX") or ROOT)


def existing(prefix: Path) -> Path:
    """The same, when there is an environment. Raises PrefixError."""
    if not is_environment(prefix):
        raise PrefixError(f"EnvironmentLocationNotFound: Not a conda environment: {prefix}")
    return prefix


def remember(prefix: Path, command: list[str], specs: list[str]) -> None:
    """The environment's history holds the command, and the user's list the environment."""
    history = prefix / "conda-meta/history"
    history.parent.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    with history.open("a") as file:
        file.write(f"==> {now} <==\n# cmd: {' '.join(command)}\n# update specs: {specs}\n")
    known = _home() / ".conda/environments.txt"
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        lines = known.read_text().splitlines() if known.exists() else []
        if str(prefix) not in lines:
            with known.open("a") as file:
                file.write(f"{prefix}\n")
    except OSError:
        pass  # as conda: a home that cannot be written costs nothing but the list
