"""The Python environment that is active on this computer, as an environment.yml for another.

What somebody asked for is named with its version; what came along with it is left to the solver
there, since a Mac's dependencies are not Linux's. Of conda that is its history
(https://docs.conda.io/projects/conda/en/stable/commands/env/export.html), of pip and uv the file
REQUESTED (https://packaging.python.org/en/latest/specifications/recording-installed-packages/);
besides, whatever nothing else needs.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORD: Final = "current"
"""What stands for it where a file is named."""
_OF_A_SYSTEM: Final = (
    r"appnope|colorama|libcxx|llvm-openmp|pyobjc.*|python-app|pywin32.*|pywinpty|ucrt|vc|vs20.*"
)
_OF_JUPYTER: Final = r"jupyter|jupyter-clouds|jupyterlab|nbclassic|notebook"
_TOOLS: Final = {"conda", "mamba", "ipykernel", "pip", "python", "setuptools", "uv", "wheel"}
_SECRET: Final = re.compile(r"://[^/\s]*@")

# Runs in the other environment's Python, which may be of any version that still lives.
_ASK: Final = """
import json, re, sys
from importlib.metadata import distributions
def read(one, name):
    return one.read_text(name)
found = [
    {
        "name": one.metadata["Name"],
        "version": one.version,
        "needs": [
            re.match(r"[A-Za-z0-9._-]+", need).group()
            for need in one.requires or [] if "extra ==" not in need
        ],
        "asked": read(one, "REQUESTED") is not None,
        "installer": (read(one, "INSTALLER") or "").strip(),
        "origin": json.loads(read(one, "direct_url.json") or "null"),
    }
    for one in distributions() if one.metadata["Name"]
]
json.dump({"python": "%d.%d" % sys.version_info[:2], "found": found}, sys.stdout)
"""


@dataclass(frozen=True)
class Current:
    """What is to be made there."""

    environment: dict[str, Any]
    """An environment.yml's document."""
    prefix: Path
    differences: tuple[str, ...]
    """A line for each package that somebody asked for and that will be another or none, and why."""


def current(given: Mapping[str, str]) -> Current:
    """Of what is active in the shell that runs this. SettingsError: nothing is, or it is broken."""
    python = shutil.which("python", path=given.get("PATH"))
    active = [Path(given[one]) for one in ("VIRTUAL_ENV", "CONDA_PREFIX") if given.get(one)]
    # The folder and not the program, which in a venv is a link to another place.
    folder = Path(os.path.abspath(python)).parent if python else None  # noqa: PTH100 (not the link)
    prefix = next((one for one in active if folder in (one / "bin", one / "Scripts", one)), None)
    if python is None or prefix is None:
        raise SettingsError(
            "No Python environment is active in this shell.",
            hint="conda activate NAME, or source .venv/bin/activate; or name a file",
        )
    told = _ask(python, prefix)
    conda = {one["name"]: one for one in _conda(prefix)}
    differences: list[str] = []
    packages = [f"python={told['python']}", "ipykernel"]
    packages += sorted(_of_conda(conda, _requested(prefix), differences))
    pip = sorted(_of_pip(told["found"], differences))
    if pip:
        packages.append("pip")
    document: dict[str, Any] = {"dependencies": [*packages, *([{"pip": pip}] if pip else [])]}
    return Current(document, prefix, tuple(sorted(differences)))


def _ask(python: str, prefix: Path) -> Any:
    done = subprocess.run(
        [python, "-I", "-c", _ASK], check=False, capture_output=True, text=True, timeout=60
    )
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SettingsError(
            f"The Python of {prefix} does not say what is installed in it: {said}",
            hint=f"{python} --version",
        ) from error


def _conda(prefix: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{path} cannot be read: {error}", hint=f"conda list --prefix {prefix}"
            ) from error


def _requested(prefix: Path) -> set[str]:
    """Names that were given to conda, as its history has them; later removals are looked up."""
    try:
        lines = (prefix / "conda-meta/history").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    names: set[str] = set()
    for line in lines:
        if found := re.match(r"# (?:update|install|create) specs: (\[.*\])$", line):
            for spec in ast.literal_eval(found[1]):
                name = re.match(r"[A-Za-z0-9._-]+", str(spec).rpartition("::")[2])
                names |= {name[0]} if name else set()
    return names


def _of_conda(
    found: dict[str, dict[str, Any]], requested: set[str], differences: list[str]
) -> Iterator[str]:
    """NAME=VERSION; without a history, of what no other package needs."""
    needed = {need.split(" ")[0] for one in found.values() for need in one.get("depends", [])}
    for name, one in found.items():
        asked = name in requested if requested else name not in needed
        if asked and name not in _TOOLS and not _left_out(name, one["version"], differences):
            yield f"{name}={one['version']}"


def _of_pip(found: list[dict[str, Any]], differences: list[str]) -> Iterator[str]:
    """NAME==VERSION, or where it is from; conda's own packages are not pip's."""
    needed = {_plain(need) for one in found for need in one["needs"]}
    for one in found:
        name, version = _plain(one["name"]), one["version"]
        if one["installer"] == "conda" or name in _TOOLS:
            continue
        if not one["asked"] and name in needed:
            continue
        if _left_out(name, version, differences):
            continue
        if one["origin"]:
            if line := _from(name, version, one["origin"], differences):
                yield line
            continue
        public = version.partition("+")[0]
        if public != version:
            differences.append(f"{name} {version} becomes {public}: that build is of another index")
        yield f"{name}=={public}"


def _left_out(name: str, version: str, differences: list[str]) -> bool:
    why = None
    if re.fullmatch(_OF_A_SYSTEM, _plain(name)):
        why = "is for this computer's system"
    elif re.fullmatch(_OF_JUPYTER, _plain(name)):
        why = "runs outside the kernel's environment"
    if why:
        differences.append(f"{name} {version} is left out: it {why}")
    return why is not None


def _from(name: str, version: str, told: Any, differences: list[str]) -> str | None:
    """Where it was installed from, if another computer reaches that as well.

    https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
    """
    url = str(told.get("url", ""))
    if _SECRET.search(url):
        why = "its address has a user or a password in it"
    elif not url.startswith("https://"):
        why = "it is of a folder or a file of this computer; push brings it"
    elif vcs := told.get("vcs_info"):
        return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
    else:
        return f"{name} @ {url}"
    differences.append(f"{name} {version} is left out: {why}")
    return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
