"""A file of conda-lock, as what conda and pip install with nothing left to solve. Pure.

The unified format, version 1: https://conda.github.io/conda-lock/output/ and
https://github.com/conda/conda-lock/blob/main/conda_lock/lockfile/v1/models.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PLATFORMS = ("linux-64", "linux-aarch64")
"""What machines are, as conda calls it."""
_VERSION = 1
_NAMES = ("conda-lock.yml", "conda-lock.yaml")
_LEFT_OUT = "__"
"""Begins the names of what conda finds on a computer, such as __glibc: nobody installs it."""
_CATEGORIES = {"main", "dev"}
"""As `conda-lock install` takes them; extras are asked for one by one."""
_URL = re.compile(r"https?://[^\s$]+")
_WORD = re.compile(r"[^\s;#$]+")


@dataclass(frozen=True)
class Pinned:
    """Of one platform: what to install, each file by its hash."""

    conda: list[str]
    """Addresses with `#` and MD5, as conda's explicit files have them; what others need is first.

    https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
    """
    pip: list[str]
    """Lines of a requirements file, all with a SHA-256."""
    addresses: list[str]
    """Lines without one: a commit of a repository has no file that could be compared."""
    python: str
    """Its minor version; empty where there is none."""


def is_lock(document: Any, path: Path) -> bool:
    """Whether the file means to be one."""
    says = isinstance(document, dict) and "package" in document
    return says or path.name.endswith(_NAMES)


def read(document: Any, path: Path) -> dict[str, Pinned]:
    """What it has for machines, by platform. SettingsError: damaged, too new, for none of them."""
    entries = document.get("package") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise SettingsError(
            f"{path} is no lock file of conda-lock: it has no list of packages.",
            hint="Make it: conda-lock --file environment.yml --platform linux-64",
        )
    version = document.get("version")
    if version != _VERSION:
        raise SettingsError(
            f"{path} is a lock file of version {version}, and {_VERSION} is known here.",
            hint="The file that it was made from: python -m wrapper env update environment.yml",
        )
    known = [_checked(one, path) for one in entries]
    found = {
        platform: _pinned(some)
        for platform in PLATFORMS
        if (some := [one for one in known if one["platform"] == platform])
    }
    if not found:
        others = sorted({str(one["platform"]) for one in known})
        raise SettingsError(
            f"{path} has packages for {', '.join(others)}, and none for {' or '.join(PLATFORMS)}, "
            "which machines are.",
            hint="Lock for them too: conda-lock --file environment.yml --platform linux-64",
        )
    return found


def _checked(entry: Any, path: Path) -> dict[str, Any]:
    """The entry, with all that is asked of it. SettingsError."""
    name = entry.get("name") if isinstance(entry, dict) else entry
    damaged = SettingsError(
        f"{path} is damaged at the package {name!r}.",
        hint="Make it anew: conda-lock --file environment.yml --platform linux-64",
    )
    if not isinstance(entry, dict) or entry.get("manager") not in ("conda", "pip"):
        raise damaged
    words = [entry.get(key) for key in ("name", "version", "platform")]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
        raise damaged
    hashes, needs = entry.get("hash"), entry.get("dependencies", {})
    if not isinstance(hashes, dict) or not isinstance(needs, dict):
        raise damaged
    url = str(entry.get("url"))
    if "$" in url:
        raise SettingsError(
            f"{path} asks for {name} from a channel that wants a secret: {url.partition('$')[0]}…",
            hint="On the machine, with conda-lock: python -m wrapper ssh",
        )
    if entry["manager"] == "conda" and not (_URL.fullmatch(url) and hashes.get("md5")):
        raise damaged
    return entry


def _pinned(entries: list[dict[str, Any]]) -> Pinned:
    wanted = [
        one
        for one in entries
        if one.get("category", "main") in _CATEGORIES and not one["name"].startswith(_LEFT_OUT)
    ]
    conda = _in_order([one for one in wanted if one["manager"] == "conda"])
    pip = [one for one in wanted if one["manager"] == "pip"]
    python = [one["version"] for one in conda if one["name"] == "python"]
    return Pinned(
        conda=[f"{one['url']}#{one['hash']['md5']}" for one in conda],
        pip=[
            f"{one['name']}=={one['version']} --hash=sha256:{one['hash']['sha256']}"
            for one in pip
            if not _address(one)
        ],
        addresses=[f"{one['name']} @ {_address(one)}" for one in pip if _address(one)],
        python=".".join(python[0].split(".")[:2]) if python else "",
    )


def _address(entry: dict[str, Any]) -> str:
    """Where pip gets it, if not from an index by its hash."""
    source = entry.get("source")
    if isinstance(source, dict) and source.get("url"):
        return str(source["url"])
    return "" if entry["hash"].get("sha256") else str(entry.get("url"))


def _in_order(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each behind what it needs: scripts of packages run as they are linked."""
    by_name = {one["name"]: one for one in entries}
    needs = {
        name: [other for other in one.get("dependencies", {}) if other in by_name]
        for name, one in by_name.items()
    }
    try:
        return [by_name[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError:
        return entries
