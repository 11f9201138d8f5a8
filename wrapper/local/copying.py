"""Copies of volumes: shared with the original where the host's file system can, else sparse."""

from __future__ import annotations

import errno
import os
from fcntl import ioctl
from typing import TYPE_CHECKING

from .host import need_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FICLONE = 0x40049409  # <linux/fs.h>
_UNABLE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY)
_CHUNK = 16 << 20
_MIB = 1 << 20


def taken_mib(file: int) -> int:
    """MiB of the host's disk that the file takes, holes left out."""
    return os.fstat(file).st_blocks * 512 // _MIB + 1


def copy(source: int, target: Path, gib: int, done: Callable[[int], None]) -> None:
    """The target is the source's blocks, then zeros, so many GiB in all; `done` is told percents.

    OSError when the host's disk fills, LocalError when it is seen to beforehand; a partial target
    is then the caller's to remove.
    """
    with target.open("wb") as file:
        if not _clone(source, file.fileno()):
            need_space(target.parent, taken_mib(source))
            _sparse(source, file.fileno(), done)
        file.truncate(gib << 30)


def _clone(source: int, target: int) -> bool:
    """Atomic, and at no cost of room: https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html"""
    try:
        ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise
    return True


def _sparse(source: int, target: int, done: Callable[[int], None]) -> None:
    size = os.fstat(source).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            raise
        end = min(size, os.lseek(source, start, os.SEEK_HOLE))
        while start < end:
            copied = os.copy_file_range(source, target, min(_CHUNK, end - start), start, start)
            if not copied:
                return
            start += copied
            done(int(100 * start / size))
        position = end
