"""Loop devices: a file of the host's as a block device."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .host import run

MAJOR = 7


def attach(file: Path) -> Path:
    """The device whose blocks are the file's, as large as the file; raises LocalError."""
    return Path(run(["losetup", "--find", "--show", file]).strip())


def detach(device: Path) -> None:
    """The device is free, at the latest when the last who has it open lets go."""
    run(["losetup", "--detach", device], check=False)


def grow(device: Path) -> None:
    """The device is as large as its file is by now; raises LocalError."""
    run(["losetup", "--set-capacity", device])


def number(device: Path) -> int:
    """Its device number."""
    return os.stat(device).st_rdev  # noqa: PTH116 - a number of stat's own


def in_use(device: Path) -> bool:
    """Whether the kernel has claimed it: a file system on it is mounted, in any namespace."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def below(directory: Path) -> list[Path]:
    """The devices whose files are, or were, somewhere below the directory."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = file.read_text().strip()
        except OSError:
            continue  # freed meanwhile
        if Path(backing).is_relative_to(directory):
            found.append(Path("/dev") / file.parents[1].name)
    return found
