"""Activation, as lines for a POSIX shell to eval."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from . import prefixes

_STACK = "CONDA_SHLVL"


def hook() -> str:
    """The functions that etc/profile.d/conda.sh defines too."""
    return (prefixes.ROOT / "etc/profile.d/conda.sh").read_text()


def _level() -> int:
    return int(os.environ.get(_STACK) or 0)


def _title(prefix: Path) -> str:
    if prefix == prefixes.ROOT:
        return "base"
    return prefix.name if prefix.parent in prefixes.directories() else str(prefix)


def _path(*, without: str | None, first: str | None) -> str:
    parts = [part for part in os.environ.get("PATH", "").split(":") if part]
    if without and f"{without}/bin" in parts:
        parts.remove(f"{without}/bin")
    return ":".join([f"{first}/bin", *parts] if first else parts)


def _scripts(prefix: str | None, kind: str) -> list[str]:
    folder = Path(prefix or "/nonexistent") / f"etc/conda/{kind}.d"
    scripts = sorted(folder.glob("*.sh"), reverse=kind == "deactivate")
    return [f". {quote(str(script))}" for script in scripts]


def _state(prefix: str | None, level: int) -> list[str]:
    if prefix is None:
        names = "CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER"
        return [f"unset {names}", f"export {_STACK}=0"]
    title = _title(Path(prefix))
    return [
        f"export CONDA_PREFIX={quote(prefix)}",
        f"export CONDA_DEFAULT_ENV={quote(title)}",
        f"export CONDA_PROMPT_MODIFIER={quote(f'({title}) ')}",
        f"export {_STACK}={level}",
        f"export CONDA_EXE={quote(str(prefixes.ROOT / 'bin/conda'))}",
        f"export CONDA_PYTHON_EXE={quote(str(prefixes.ROOT / 'bin/python'))}",
    ]


def _prompt(new: str) -> list[str]:
    old = os.environ.get("CONDA_PROMPT_MODIFIER", "")
    strip = f"PS1=${{PS1#{quote(old)}}}; " if old else ""
    return [f'if [ -n "${{PS1:-}}" ]; then {strip}PS1={quote(new)}$PS1; fi']


def activate(where: str | None) -> str:
    """The environment becomes the active one. Raises PrefixError when there is none."""
    prefix = (
        prefixes.chosen(None, where) if where and "/" in where else prefixes.named(where or "base")
    )
    if not prefixes.is_environment(prefix):
        kind = (
            "EnvironmentLocationNotFound" if where and "/" in where else "EnvironmentNameNotFound"
        )
        raise prefixes.PrefixError(f"{kind}: Could not find conda environment: {where}")
    old, level = os.environ.get("CONDA_PREFIX"), _level()
    lines = _scripts(old, "deactivate")
    if old and old != str(prefix):
        lines.append(f"export CONDA_PREFIX_{level}={quote(old)}")
    again = old == str(prefix)
    lines += [
        *_prompt(f"({_title(prefix)}) "),
        f"export PATH={quote(_path(without=old, first=str(prefix)))}",
        *_state(str(prefix), level if again else level + 1),
        *_scripts(str(prefix), "activate"),
        "hash -r 2>/dev/null || :",
    ]
    return "\n".join(lines) + "\n"


def deactivate() -> str:
    """The environment that was active before is so again, or none."""
    old, level = os.environ.get("CONDA_PREFIX"), _level()
    if not old or level < 1:
        return ""
    before = os.environ.get(f"CONDA_PREFIX_{level - 1}") if level > 1 else None
    prompt = f"({_title(Path(before))}) " if before else ""
    lines = [
        *_scripts(old, "deactivate"),
        *_prompt(prompt),
        f"export PATH={quote(_path(without=old, first=before))}",
        *_state(before, level - 1),
        f"unset CONDA_PREFIX_{level - 1}" if level > 1 else ":",
        *_scripts(before, "activate"),
        "hash -r 2>/dev/null || :",
    ]
    return "\n".join(lines) + "\n"
