"""The host: where the embedded EC2 keeps things, and the one way it runs the host's tools."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUN = Path("/run/jupyter-clouds-local")
STATE = Path("/var/lib/jupyter-clouds-local")
CACHE = Path("/var/cache/jupyter-clouds")
LOG = STATE / "daemon.log"
PREFIX = "jupyter-clouds"
"""Names of namespaces, cgroups and nft tables start with it: clean-up goes by name."""

log = logging.getLogger("jupyter-clouds.local")


def run(
    argv: Sequence[str | Path], *, text: str | None = None, check: bool = True, timeout: float = 60
) -> str:
    """The tool ran and this is its standard output; LocalError with its complaint otherwise."""
    command = [str(part) for part in argv]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise LocalError(f"{command[0]} is not installed", hint="jupyter-clouds doctor") from error
    except subprocess.TimeoutExpired as error:
        raise LocalError(
            f"`{' '.join(command)}` gave no answer in {timeout:.0f} s", hint=f"less {LOG}"
        ) from error
    if check and done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip()[-2000:]
        raise LocalError(
            f"`{' '.join(command)}` ended with {done.returncode}: {complaint}",
            hint=f"less {LOG}",
        )
    return done.stdout


def nft(script: str, *, namespace: str | None = None, check: bool = True) -> str:
    """The nft script is in force, all of it or (raising LocalError) nothing."""
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    return run([*inside, "nft", "-f", "-"], text=script, check=check)


def need_space(path: Path, mib: int) -> None:
    """The file system of `path` has that much room; LocalError otherwise."""
    free = shutil.disk_usage(path).free // 2**20
    if free < mib:
        raise LocalError(
            f"{path} has {free} MiB free, {mib} MiB are needed: the disk is full",
            hint=f"df -h {path}",
        )


@contextmanager
def locked(path: Path, *, wait: float) -> Iterator[None]:
    """Nobody else holds the lock file; LocalError after `wait` seconds, naming the holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        end = time.monotonic() + wait
        while True:
            try:
                flock(handle, LOCK_EX | LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    handle.seek(0)
                    raise LocalError(
                        f"process {handle.read().strip() or 'unknown'} holds {path} "
                        f"for longer than {wait:.0f} s",
                        hint="jupyter-clouds local status",
                    ) from error
                time.sleep(0.1)
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


def mounts_below(path: Path) -> list[Path]:
    """Mount points at or below the path, deepest first, as they can be unmounted."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point == path or path in point.parents:
            found.append(point)
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


def unmount_below(path: Path) -> None:
    """Nothing is mounted at or below the path."""
    for point in mounts_below(path):
        run(["umount", "--lazy", point], check=False)
