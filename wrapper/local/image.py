"""The image room: Debian root file systems, made once by mmdebstrap and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from wrapper.errors import LocalError

from . import guest
from .host import CACHE, locked, log, need_space, run
from .machines import IMAGES

SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}
PACKAGES = (
    "bzip2",
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "e2fsprogs",
    "git",
    "iproute2",
    "libpam-systemd",
    "nftables",
    "openssh-server",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "rsync",
    "sudo",
    "systemd",
    "systemd-sysv",
    "unison",
    "xfsprogs",
)
ROOM_MIB = 1500
"""What a root file system takes while it is being built."""


def _os_release() -> dict[str, str]:
    return platform.freedesktop_os_release()


def sources(image: str) -> list[str]:
    """The apt sources that a Debian host uses itself, with the image's suite put in.

    Empty on other hosts: mmdebstrap then takes its own default.
    """
    release = _os_release()
    host = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not host:
        return []
    listing = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
    lines = []
    for line in sorted(set(listing.splitlines())):
        uri, suite, component = line.split(" ")[:3]
        if component == "main" and suite in {host, f"{host}-updates", f"{host}-security"}:
            lines.append(f"deb {uri} {suite.replace(host, SUITES[image])} main")
    return lines


def apt_options() -> list[str]:
    """How the host's apt reaches its mirror: proxies and certificates."""
    dump = run(["apt-config", "dump", "--no-empty", "Acquire"])
    names = ("http::Proxy", "https::Proxy", "https::CAInfo")
    wanted = tuple(f"Acquire::{name} " for name in names)
    return [f"--aptopt={line}" for line in dump.splitlines() if line.startswith(wanted)]


def key(image: str) -> str:
    """Changes whenever an image made now would differ in what we decide."""
    parts = [SUITES[image], *PACKAGES, *(f"{p} {m} {t}" for p, m, t in guest.IMAGE_FILES)]
    parts += guest.MASKED
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def root(image: str) -> Path:
    """Where the image's root file system is, once `ensure` has returned."""
    return CACHE / "images" / f"{image}-{key(image)}"


def ensure(image: str) -> Path:
    """The image's root file system is complete at this path; made now when it was not.

    Takes half a minute the first time. Raises LocalError with the end of the build's log.
    """
    if image not in IMAGES:
        raise LocalError(f"no image is called {image}", hint=f"use one of {', '.join(IMAGES)}")
    target = root(image)
    if target.is_dir():
        return target
    with locked(CACHE / "images" / f".{image}.lock", wait=900):
        if not target.is_dir():
            _build(image, target)
    return target


def _build(image: str, target: Path) -> None:
    need_space(CACHE, ROOM_MIB)
    for old in target.parent.glob(f".{image}-*.building"):
        shutil.rmtree(old)  # of a build that was killed; we hold the lock
    building = target.parent / f".{target.name}.building"
    record = target.parent / f"{target.name}.log"
    command = [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *apt_options(),
        SUITES[image],
        str(building),
        *sources(image),
    ]
    log.info("%s: building the root file system, log in %s", image, record)
    with record.open("w") as out:
        done = subprocess.run(
            command, stdout=out, stderr=out, check=False, stdin=subprocess.DEVNULL
        )
    if done.returncode != 0:
        shutil.rmtree(building, ignore_errors=True)
        end = "\n".join(record.read_text().splitlines()[-15:])
        raise LocalError(
            f"mmdebstrap could not build {image} (exit {done.returncode}); its log ends:\n{end}",
            hint=f"less {record}",
        )
    guest.furnish(building)
    os.rename(building, target)  # noqa: PTH104 - the atomic step, spelt as the system call
    for old in target.parent.glob(f"{image}-*"):
        if old.is_dir() and old != target and not _in_use(old):
            shutil.rmtree(old)


def _in_use(directory: Path) -> bool:
    return f"lowerdir={directory}" in Path("/proc/self/mounts").read_text()
