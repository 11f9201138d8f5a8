"""Machines in folders, one after another, and a volume that goes from one to the next."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MIB, MachineRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VOLUME = "vol0123456789abcdef0"
LINKS = "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"


def run(*command: str | Path) -> str:
    """What the command printed; it succeeded."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def begin_with(data: bytes) -> Callable[[Path], object]:
    """Writes that at the volume's beginning."""
    command = ("dd", "conv=notrunc", "status=none")
    return lambda device: subprocess.run([*command, f"of={device}"], input=data, check=True)


# One partition of Linux's kind, from sector 2048 on.
PARTITION = b"\0" * 4 + b"\x83" + b"\0" * 3 + (2048).to_bytes(4, "little") + b"\0\x10\0\0"
FOREIGN: dict[str, Callable[[Path], object]] = {
    "swap": lambda device: run("mkswap", device),
    "partitions": begin_with(b"\0" * 446 + PARTITION + b"\0" * 48 + b"\x55\xaa"),
    "luks": begin_with(b"LUKS\xba\xbe\0\1".ljust(4096, b"\0")),
    "unknown": begin_with(b"\0" * 70000 + b"somebody's data"),
    "ext2": lambda device: run("mkfs.ext2", "-q", device),
}
"""What a volume may hold that is not ours, and how it comes there."""


class Volume:
    """A disk of some MiB that machines can be given."""

    def __init__(self, file: Path, mib: int = 64) -> None:
        self.file = file
        with file.open("wb") as stream:
            stream.truncate(mib * MIB)
        self.device = Path(run("losetup", "--find", "--show", file).strip())

    def attach(self, machine: MachineRoot, name: str = VOLUME) -> None:
        """The machine sees it, under the name that udev gives an EBS volume."""
        link = machine.root / f"{LINKS}{name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(self.device)

    def digest(self) -> str:
        """Of all that is on it."""
        run("sync", self.device)
        with self.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    found = Volume(tmp_path / "volume")
    yield found
    run("losetup", "--detach", found.device)


class Rooms:
    """Machines one after another, as a deployment's are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: list[MachineRoot] = []

    def new(self) -> MachineRoot:
        """A machine that has not booted yet, with a home as /etc/skel makes it."""
        machine = MachineRoot(self.folder / f"machine{len(self.machines)}")
        self.machines.append(machine)
        machine.settings(data_volume="vol")
        home = machine.root / machine.home[1:]
        (home / ".ssh").mkdir(parents=True)
        (home / ".bashrc").write_text("# as it comes")
        (home / ".ssh/authorized_keys").write_text(f"key of {machine.root.name}\n")
        (machine.root / "etc/ssh").mkdir()
        key = machine.root / "etc/ssh/ssh_host_ed25519_key"
        key.write_text(f"of {machine.root.name}")
        return machine

    @staticmethod
    def off(machine: MachineRoot) -> None:
        """Nothing of it is mounted any more."""
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            if line.split()[1].startswith(f"{machine.root}/"):
                run("umount", line.split()[1])


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    found = Rooms(tmp_path)
    yield found
    for machine in found.machines:
        found.off(machine)


def home(machine: MachineRoot) -> Path:
    return machine.root / machine.home[1:]


def fill(folder: Path) -> Path:
    """Not a byte is left; removing the returned file mends that."""
    found = folder / "big"
    with found.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
        os.fsync(file.fileno())
    return found


def process_status(process: int | str, name: str) -> str:
    """What Linux says of the process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (found,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return found


def can_grow_mounted() -> bool:
    """CAP_SYS_RESOURCE, which Linux asks for to grow a mounted ext4; some sandboxes withhold it."""
    return bool(int(process_status("self", "CapEff"), 16) >> 24 & 1)
