"""A machine's root disk: the image below, above it a file system of the volume's own size."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import filesystems, loop
from .host import log, run, unmount_below

if TYPE_CHECKING:
    from pathlib import Path


def make(directory: Path, gib: int) -> Path:
    """The disk is there and its upper layer mounted at the returned path; raises LocalError."""
    for name in ("disk", "hardware", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
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
    layers = f"lowerdir={image_root},upperdir={disk}/upper,workdir={disk}/work"
    # Volatile: otherwise the end of a machine waits until a gigabyte is on the host's disk.
    # https://docs.kernel.org/filesystems/overlayfs.html#volatile-mount
    layers += ",volatile"
    run(["mount", "-t", "overlay", "jupyter-clouds", "-o", layers, directory / "root"])


def discard(directory: Path) -> None:
    """What the machine wrote is not written to the host's disk any more; its disk is going."""
    disk = directory / "disk"
    # Never the host's own file system, which it is where there was no loop device.
    if not disk.is_mount() or os.major(disk.stat().st_dev) != loop.MAJOR:
        return
    filesystems.shut_down(disk)
