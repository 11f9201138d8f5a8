"""Block devices as a running machine sees them: nodes in its /dev, named as EBS's are.

On the Nitro system a volume is /dev/nvme1n1, ..., and udev links it by the volume's id, which is
its NVMe serial: https://docs.aws.amazon.com/ebs/latest/userguide/identify-nvme-ebs-device.html
A container has no udev: the host makes and removes node and link.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IFBLK
from typing import TYPE_CHECKING

from .host import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 60.0
_MODE = 0o660
_DISK_GROUP = 6  # of Debian's base-passwd, the same everywhere


def link_name(volume_id: str) -> str:
    """What /dev/disk/by-id calls the volume."""
    return f"nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}"


def wait_for_guest(leader: Callable[[], int | None], on: Callable[[], bool]) -> int | None:
    """The machine's PID 1 once its systemd runs, its /dev therefore made; None if it goes off."""
    end = time.monotonic() + _PATIENCE
    while on() and time.monotonic() < end:
        pid = leader()
        if pid and _is_init(pid):
            return pid
        time.sleep(0.02)
    return None


def _is_init(pid: int) -> bool:
    # Before, it is systemd-nspawn itself, perhaps still with the host's /dev.
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("systemd", "init")
    return False


def show(pid: int, name: str, volume_id: str, device: int) -> None:
    """The machine has the device as /dev/NAME, and linked by the volume's id."""
    with _directory(pid) as dev:
        hide(pid, name, volume_id)
        os.mknod(name, S_IFBLK | _MODE, device, dir_fd=dev)
        os.chmod(name, _MODE, dir_fd=dev)
        os.chown(name, 0, _DISK_GROUP, dir_fd=dev)
        with _directory(pid, "disk", "by-id") as by_id:
            os.symlink(f"../../{name}", link_name(volume_id), dir_fd=by_id)


def hide(pid: int, name: str, volume_id: str) -> None:
    """The machine has neither node nor link."""
    try:
        with _directory(pid) as dev, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=dev)
        with _directory(pid, "disk", "by-id") as by_id, suppress(FileNotFoundError):
            os.unlink(link_name(volume_id), dir_fd=by_id)
    except OSError as error:
        log.debug("process %d: %s", pid, error)  # the machine went off meanwhile


@contextmanager
def _directory(pid: int, *below: str) -> Iterator[int]:
    """The machine's /dev, or a directory below it; its links are not followed to the host."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    here = os.open(f"/proc/{pid}/root/dev", flags)
    try:
        for name in below:
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=here)
            inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)
