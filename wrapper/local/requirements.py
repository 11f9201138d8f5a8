"""What the embedded EC2 needs of this host, and the command that brings it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = {
    "ip": ("iproute2", "machines have a network of their own"),
    "mmdebstrap": ("mmdebstrap", "machines have a Debian of their own"),
    "nft": ("nftables", "security groups are real"),
    "systemd-nspawn": ("systemd-container", "machines run in it"),
}
_PACKAGES = {
    "moto": "it is the EC2 API",
    "pip": "it knows which package index this computer uses",
    "uv": "it installs packages on machines, where conda's servers cannot be reached",
    "xmltodict": "it reads what machines ask of Route 53",
}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Requirement:
    """Something that is missing."""

    name: str
    why: str
    command: str
    """Brings it; empty where no command can."""


def search_path() -> str:
    """Where programs are looked for: many users' PATH lacks root's directories."""
    return f"{os.environ.get('PATH', '')}:{_SBIN}"


def sudo() -> list[str]:
    """What goes before a command that needs root."""
    return [] if os.geteuid() == 0 else ["sudo"]


def missing() -> list[Requirement]:
    """All that is missing, the apt packages with one command for the lot."""
    if platform.system() != "Linux":
        name = f"Linux (this is {platform.system()})"
        return [Requirement(name, "machines are containers of its kernel", "")]
    found = []
    absent = {
        package: why
        for program, (package, why) in _PROGRAMS.items()
        if not shutil.which(program, path=search_path())
    }
    if absent:
        command = " ".join([*sudo(), "apt-get install --yes", *sorted(absent)])
        found += [Requirement(name, why, command) for name, why in sorted(absent.items())]
    if os.geteuid() != 0 and not shutil.which("sudo"):
        found.append(Requirement("root, or sudo", "namespaces and mounts need it", "su -"))
    absent = {name: why for name, why in _PACKAGES.items() if not importlib.util.find_spec(name)}
    command = _installs_packages() if absent else ""
    found += [Requirement(f"Python's {name}", why, command) for name, why in absent.items()]
    return found


def _installs_packages() -> str:
    """The command for this Python: an environment made by uv has no pip in it."""
    if (Path(__file__).parents[2] / "pyproject.toml").is_file():
        return "make setup"
    wanted = "'jupyter-clouds[local]'"
    if importlib.util.find_spec("pip"):
        return f"{sys.executable} -m pip install {wanted}"
    uv = f"{sys.executable} -m uv" if importlib.util.find_spec("uv") else "uv"
    return f"{uv} pip install --python {sys.executable} {wanted}"
