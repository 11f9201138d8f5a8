"""A machine's root disk: the image below, above it a file system of the volume's own size.

Between the two, read-only, the disks that an image of a machine was made of: links to the same
files, so that an image may be deleted while machines of it live.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import filesystems, loop
from .host import log, run, unmount_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def layers(volume: Path) -> list[Path]:
    """The files that make up a disk, or a snapshot of one, the uppermost first."""
    below = sorted(volume.parent.glob(f"{volume.name}.below-*"))
    return [volume, *below]


def link(above: Path, found: Iterable[Path]) -> None:
    """The disk or snapshot has these below it, the uppermost first."""
    for number, layer in enumerate(found):
        below = above.with_name(f"{above.name}.below-{number}")
        below.unlink(missing_ok=True)
        below.hardlink_to(layer)


def make(directory: Path, gib: int, below: Iterable[Path] = ()) -> Path:
    """The disk is there and its upper layer mounted at the returned path; raises LocalError.

    `below`: the layers of the snapshot that it begins with.
    """
    for name in ("disk", "hardware", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    link(directory / "volume", below)
    volume = directory / "volume"
    with volume.open("wb") as file:
        file.truncate(gib << 30)  # sparse: takes what is written to it
    # No journal: a machine whose plug is pulled leaves the host's page cache intact.
    options = ["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1"]
    run(["mkfs.ext4", *options, volume])
    # How an instance knows that it is one; without it cloud-init does not ask for IMDSv2 tokens.
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
    (directory / "hardware/uuid").write_text(f"ec2{uuid.uuid4()}"[:36] + "\n")
    return _mount_volume(directory)


def _mount_volume(directory: Path) -> Path:
    """Detached by the kernel when it is unmounted. Without loop devices, a plain directory."""
    try:
        run(["mount", "-o", "loop,noatime,nobarrier", directory / "volume", directory / "disk"])
    except LocalError as error:
        log.warning("%s: its disk is as large as the host's: %s", directory.name, error.message)
    for name in ("upper", "work"):
        (directory / "disk" / name).mkdir(exist_ok=True)
    return directory / "disk/upper"


def mount(directory: Path, image_root: Path, *, fresh: bool) -> None:
    """The root disk is mounted at `root`: what the machine wrote over the image."""
    if not fresh:
        unmount_below(directory)
        _mount_volume(directory)
    disk = directory / "disk"
    shutil.rmtree(disk / "work/work/incompat", ignore_errors=True)  # volatile's mark
    lower = ":".join(str(one) for one in (*_mount_below(directory), image_root))
    options = f"lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work"
    # Volatile: otherwise the end of a machine waits until a gigabyte is on the host's disk.
    # https://docs.kernel.org/filesystems/overlayfs.html#volatile-mount
    options += ",volatile"
    run(["mount", "-t", "overlay", "jupyter-clouds", "-o", options, directory / "root"])


def _mount_below(directory: Path) -> Iterator[Path]:
    for layer in layers(directory / "volume")[1:]:
        place = directory / layer.name.replace("volume", "disk")
        place.mkdir(exist_ok=True)
        run(["mount", "-o", "loop,ro,noatime", layer, place])
        yield place / "upper"


def is_own(directory: Path) -> bool:
    """The machine's disk is a file system of its own, and not a folder of the host's."""
    disk = directory / "disk"
    return disk.is_mount() and os.major(disk.stat().st_dev) == loop.MAJOR


@contextmanager
def frozen(directory: Path) -> Iterator[None]:
    """All that the machine wrote is in the disk's file, and nothing is added meanwhile."""
    with ExitStack() as stack:
        if is_own(directory):
            device = (directory / "disk").stat().st_dev
            stack.enter_context(filesystems.frozen(os.getpid(), device))
        yield


def thaw(directory: Path) -> None:
    """The machine's disk does not wait for a copy that a killed daemon had begun."""
    if is_own(directory):
        descriptor = os.open(directory / "disk", os.O_RDONLY)
        filesystems.thaw(descriptor)
        os.close(descriptor)


def discard(directory: Path) -> None:
    """What the machine wrote is not written to the host's disk any more; its disk is going."""
    # Never the host's own file system, which it is where there was no loop device.
    if is_own(directory):
        filesystems.shut_down(directory / "disk")
