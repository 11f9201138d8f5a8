"""A machine room in which work is done: it knows what was saved, and sees two machines at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.module.stage import Speaking
from wrapper.local.api.imaginary import ImaginaryBlocks

if TYPE_CHECKING:
    from wrapper.local.machines import MachineSpec

RUNS = ("pending", "running")


class Clock:
    """The market's: real time, and what was skipped of it."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def __call__(self) -> float:
        return time.time() + self._skipped

    def skip(self, seconds: float) -> None:
        """So much time has passed."""
        self._skipped += seconds


class Disks(ImaginaryBlocks):
    """Volumes with words on them. A machine that runs has its own mounted, and keeps back what was
    written last until it is synced, at the latest when it shuts down."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[str] | None = []
        """Words that must not be lost; None: not known, since they were to be deleted."""
        self._unsynced: dict[str, list[str]] = {}

    def words(self, disk: str) -> list[str]:
        """What a volume or a snapshot holds."""
        return self.contents.get(disk, "").split()

    def mount(self, instance_id: str) -> None:
        """The machine has started."""
        self.mounted |= {one for one, machine in self.machines.items() if machine == instance_id}

    def write(self, volume_id: str, word: str, *, synced: bool) -> None:
        """A machine has written it."""
        self._unsynced.setdefault(volume_id, []).append(word)
        if synced:
            self._sync(volume_id)

    def sync(self) -> None:
        """Everything that is mounted was written out."""
        for one in self.mounted:
            self._sync(one)

    def detach(self, volume_id: str, *, force: bool = False) -> None:
        """Forced, what was not synced is lost."""
        if force:
            self._unsynced.pop(volume_id, None)
        super().detach(volume_id, force=force)

    def off(self, instance_id: str) -> None:
        """A shutdown syncs."""
        for one in [one for one in self.mounted if self.machines.get(one) == instance_id]:
            self._sync(one)
        super().off(instance_id)

    def pull_the_plug(self, instance_id: str) -> None:
        """Nothing is synced any more."""
        for volume_id, machine in self.machines.items():
            if machine == instance_id:
                self._unsynced.pop(volume_id, None)

    def _sync(self, volume_id: str) -> None:
        for word in self._unsynced.pop(volume_id, []):
            self.contents[volume_id] = f"{self.contents[volume_id]} {word}"
            if self.saved is not None:
                self.saved.append(word)


class WorkRoom(Speaking):
    """Machines that mount what they are given. `broken` tells of each that ran beside another."""

    def __init__(self, key_sha256: str, certificate_sha256: str) -> None:
        super().__init__(key_sha256, certificate_sha256)
        self.disks = Disks()
        self.blocks = self.disks
        self.broken: list[str] = []
        attach = self.disks.attach

        def attach_and_mount(volume_id: str, instance_id: str, device: str) -> None:
            attach(volume_id, instance_id, device)
            if self.state(instance_id) in RUNS:
                self.disks.mount(instance_id)

        self.disks.attach = attach_and_mount  # type: ignore[method-assign] # only here is known what runs

    def launch(self, spec: MachineSpec) -> None:
        self._alone(spec.instance_id)
        super().launch(spec)

    def start(self, instance_id: str) -> None:
        self._alone(instance_id)
        super().start(instance_id)
        self.disks.mount(instance_id)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        if force:
            self.disks.pull_the_plug(instance_id)
        super().stop(instance_id, force=force)

    def terminate(self, instance_id: str, *, force: bool = False) -> None:
        if force:
            self.disks.pull_the_plug(instance_id)
        super().terminate(instance_id, force=force)

    def running(self) -> list[str]:
        """Machines that run, or are about to."""
        return [one for one in list(self.specs) if self.state(one) in RUNS]

    def at(self, address: str) -> bool:
        """A machine that runs has that address."""
        return any(
            self.addresses.get(one) == address and self.state(one) == "running"
            for one in list(self.specs)
        )

    def _alone(self, instance_id: str) -> None:
        if others := [one for one in self.running() if one != instance_id]:
            self.broken.append(f"{instance_id} was started while {', '.join(others)} ran")
