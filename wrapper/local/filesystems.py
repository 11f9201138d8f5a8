"""What the host can do to a file system that a machine has mounted."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack, contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

from .host import log

if TYPE_CHECKING:
    from collections.abc import Iterator

# <linux/fs.h>
_FIFREEZE = 0xC0045877
_FITHAW = 0xC0045878
_FS_IOC_SHUTDOWN = 0x8004587D
_NOFLUSH = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH


def shut_down(directory: int | Path) -> None:
    """What was not written yet is lost, and nothing more is written: as without power."""
    with _opened(directory) as descriptor:
        try:
            ioctl(descriptor, _FS_IOC_SHUTDOWN, _NOFLUSH)
        except OSError as error:
            log.debug("%s: %s", directory, error)


def thaw(directory: int) -> None:
    """Whoever writes there goes on."""
    try:
        ioctl(directory, _FITHAW, 0)
    except OSError as error:
        log.debug("thaw: %s", error)  # it was not frozen


@contextmanager
def frozen(pid: int | None, device: int) -> Iterator[bool]:
    """All is written, and nobody writes on, where the process has the device mounted.

    Yields whether it is mounted.
    """
    with ExitStack() as stack:
        descriptor = stack.enter_context(mounted(pid, device)) if pid else None
        if descriptor is not None:
            try:
                ioctl(descriptor, _FIFREEZE, 0)
            except OSError as error:
                log.warning("a file system that cannot be frozen: %s", error)
            else:
                stack.callback(thaw, descriptor)
        yield descriptor is not None


@contextmanager
def mounted(pid: int, device: int) -> Iterator[int | None]:
    """A descriptor of where the process has the device mounted; None where it has not."""
    descriptor = _find(pid, device)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _find(pid: int, device: int) -> int | None:
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    except OSError:
        return None  # the process ended
    for line in lines:
        fields = line.split()
        if fields[2] != number:
            continue
        point = fields[4].encode().decode("unicode_escape")
        try:
            descriptor = os.open(f"/proc/{pid}/root{point}", os.O_RDONLY)
        except OSError as error:
            log.debug("%s: %s", point, error)
            continue
        if os.fstat(descriptor).st_dev == device:
            return descriptor
        os.close(descriptor)  # something else is mounted over it
    return None


@contextmanager
def _opened(directory: int | Path) -> Iterator[int]:
    if isinstance(directory, int):
        yield directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
