"""The phase conda: Miniforge, pinned, in a prefix that everybody finds."""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import shutil
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import clouds

if TYPE_CHECKING:
    from pathlib import Path

FINAL = (400, 401, 403, 404, 410)  # refusals that another try does not change
SILENCE = 15  # seconds; a connection of the address that was replaced never says it is dead
MINIMUM = 1700  # MiB of memory; with less, the installer and the solver are killed half-way
# A container sees its host's /proc/meminfo: its own limit is in one of these (cgroup v2, v1).
LIMITS = ("memory.max", "memory.limit_in_bytes", "memory/memory.limit_in_bytes")


def memory() -> int:
    """MiB of memory that this machine may use."""
    found = [int((clouds.ROOT / "proc/meminfo").read_text().split()[1]) // 2**10]
    for name in LIMITS:
        path = clouds.ROOT / "sys/fs/cgroup" / name
        if path.exists() and (text := path.read_text().strip()).isdigit():
            found.append(int(text) // 2**20)
    return min(found)


def fetch(url: str, partial: Path) -> None:
    """The file is complete; what an earlier try brought is kept. Raises PassingError."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})  # noqa: S310 - checksum pinned
    try:
        with urllib.request.urlopen(request, timeout=SILENCE) as reply:  # noqa: S310 - as above
            # 206: the server goes on where the last try ended.
            with partial.open("ab" if reply.status == 206 else "wb") as file:  # noqa: PLR2004 - as said
                shutil.copyfileobj(reply, file)
            # Read in pieces, a body that was cut short raises nothing.
            if reply.length:
                raise clouds.PassingError(f"{url}: cut short")
    except urllib.error.HTTPError as error:
        if error.code in FINAL:
            raise SystemExit(f"{url}: {error}: set miniforge_url to a copy") from error
        partial.unlink(missing_ok=True)
        raise clouds.PassingError(f"{url}: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise clouds.PassingError(f"{url}: {error!r}") from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, checksum: str) -> Path:
    """The installer is here and is the pinned one. Raises SystemExit when it is another."""
    path = clouds.VAR / "miniforge.sh"
    if not path.exists() or sha256(path) != checksum:
        clouds.retry(lambda _: fetch(url, path))
        if (found := sha256(path)) != checksum:
            path.unlink()
            raise SystemExit(
                f"wrong checksum: {url} has sha256 {found}, expected {checksum}; it was not run:"
                " set miniforge_url and miniforge_sha256 to a matching pair"
            )
    return path


def install(installer: Path) -> None:
    """Conda is in its prefix; environments that are there stay."""
    clouds.CONDA.mkdir(parents=True, exist_ok=True)
    leftovers = [path for path in clouds.CONDA.iterdir() if path.name != "envs"]
    clouds.run(["rm", "-rf", *leftovers])
    clouds.retry(lambda _: clouds.run(["bash", installer, "-b", "-u", "-p", clouds.CONDA]))
    for name in ("conda", "mamba"):
        link = clouds.ROOT / "usr/local/bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(clouds.CONDA / "bin" / name)
    envs = clouds.CONDA / "envs"
    envs.mkdir(exist_ok=True)
    os.chown(envs, -1, clouds.USER.pw_gid)
    # The user adds environments; sticky: the server's, root's, cannot be renamed or removed.
    envs.chmod(0o1775)


def conda() -> None:
    """Conda is installed, and there is memory to use it."""
    if (present := memory()) < MINIMUM:
        raise SystemExit(
            f"too little memory: {present} MiB, installing needs {MINIMUM} MiB:"
            " choose a larger instance_type"
        )
    source = clouds.settings()["miniforge"].get(platform.machine())
    if not source:
        raise SystemExit(f"no Miniforge for {platform.machine()}: choose another instance_type")
    if not clouds.stamped("conda", source["sha256"]):
        installer = download(source["url"], source["sha256"])
        install(installer)
        clouds.stamp("conda", source["sha256"])
        installer.unlink()
