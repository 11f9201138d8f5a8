"""What is in an environment, changed by uv: the engine behind the stand-in."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import modules, prefixes, specs

if TYPE_CHECKING:
    from pathlib import Path

UV = prefixes.ROOT / "standin/uv"
_SEED = "pip"


@dataclass
class Wanted:
    """Packages asked for: conda's specs, lines of a pip requirements file, files of conda's."""

    conda: list[str] = field(default_factory=list)
    pip: list[str] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)


def index() -> str:
    """Where packages come from."""
    return (prefixes.ROOT / "standin/index").read_text().strip()


def _uv(*arguments: str, quiet: bool = False, capture: bool = False) -> str:
    """The engine ran. Raises SpecError with its complaint."""
    environment = os.environ | {
        "UV_CACHE_DIR": str(prefixes.packages()),
        "UV_DEFAULT_INDEX": index(),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }
    for name in ("VIRTUAL_ENV", "UV_INDEX_URL", "UV_INDEX"):
        environment.pop(name, None)
    done = subprocess.run(
        [str(UV), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        complaint = done.stderr.strip()
        kind = (
            "PackagesNotFoundError"
            if "not found in the package registry" in complaint
            else "LibMambaUnsatisfiableError"
            if "No solution found" in complaint
            else "CondaError"
        )
        raise specs.SpecError(f"{kind}: Encountered problems while solving:\n{complaint}")
    if not quiet and not capture:
        sys.stdout.write(done.stderr)
    return done.stdout


def make(prefix: Path) -> None:
    """An environment with nothing but Python in it."""
    # The machine's Python, not one that is active by chance.
    _uv("venv", "--quiet", "--allow-existing", "--python", "/usr/bin/python3", str(prefix))
    for extra in (".gitignore", ".lock", "CACHEDIR.TAG"):
        (prefix / extra).unlink(missing_ok=True)
    # For those who type pip, where PyPI itself cannot be reached either.
    found = urlsplit(index())
    settings = f"[global]\nindex-url = {found.geturl()}\ntrusted-host = {found.netloc}\n"
    (prefix / "pip.conf").write_text(settings)


def requirements(wanted: Wanted) -> list[str]:
    """Lines for the engine. Says what a stand-in cannot give. Raises SpecError."""
    lines = []
    for text in wanted.conda:
        spec = specs.parse(text)
        if spec.name == "python":
            present = platform.python_version()
            if instead := specs.wants_python(spec, present):
                print(
                    f"stand-in for conda: python{instead} asked for; "
                    f"this machine's own Python {present} is all there is here",
                    file=sys.stderr,
                )
            lines.append(_SEED)  # conda's python brings pip
        elif line := spec.requirement:
            lines.append(line)
    return lines + wanted.pip


def install(
    prefix: Path,
    lines: list[str],
    *,
    quiet: bool = False,
    upgrade: bool = False,
    alone: bool = False,
) -> None:
    """The requirements are in the environment, compiled, or nothing changed. Raises SpecError.

    `alone`: without what they depend on.
    """
    if not lines:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        arguments = ["--python", str(prefix / "bin/python")]
        if upgrade:
            arguments.append("--upgrade")
        if alone:
            arguments.append("--no-deps")
        _uv("pip", "install", *arguments, "-r", file.name, quiet=quiet)
    modules.bring(prefix, index())


def remove(prefix: Path, names: list[str], *, quiet: bool = False) -> None:
    """The packages are not in the environment. Raises SpecError."""
    found = [specs.parse(name).requirement or "" for name in names]
    present = {item["name"] for item in listed(prefix)}
    missing = [name for name in found if name.lower().replace("_", "-") not in present]
    if missing:
        raise specs.SpecError(f"PackagesNotFoundError: missing from {prefix}: {', '.join(missing)}")
    _uv("pip", "uninstall", "--python", str(prefix / "bin/python"), *found, quiet=quiet)


def listed(prefix: Path) -> list[dict[str, Any]]:
    """Name and version of each package; Python itself is one, as in conda."""
    python = str(prefix / "bin/python")
    found: list[dict[str, Any]] = json.loads(
        _uv("pip", "list", "--python", python, "--format", "json", capture=True)
    )
    version = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    found.append({"name": "python", "version": version})
    return sorted(found, key=lambda item: str(item["name"]))
