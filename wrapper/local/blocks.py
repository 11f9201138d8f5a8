"""Volumes and snapshots of real blocks: a sparse file for each, below the state directory."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import cgroups, copying, disk, filesystems, loop
from .host import log, need_space, run, unmount_below
from .machines import Progress
from .plugs import HERE, Plugs, Volume, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .machines import VolumeState

_ROOM_MIB = 200
_MOMENT = 3.0


@dataclass
class _Snapshot:
    id: str
    gib: int
    percent: int = 0
    error: str = ""

    @property
    def file(self) -> Path:
        return HERE / "snapshots" / self.id

    def remove(self) -> None:
        for file in disk.layers(self.file):
            file.unlink(missing_ok=True)


class Blocks(Plugs):
    """See machines.Blocks."""

    def __init__(self, leader: Callable[[str], int | None]) -> None:
        super().__init__(leader)
        self._snapshots: dict[str, _Snapshot] = {}

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        """See machines.Blocks."""
        volume = Volume(volume_id, gib)
        volume.file.parent.mkdir(parents=True, exist_ok=True)
        need_space(HERE, _ROOM_MIB)
        if snapshot_id is None:
            with volume.file.open("wb") as file:
                file.truncate(gib << 30)
            volume.state = "available"
            self._volumes[volume_id] = volume
            return
        source = os.open(self._snapshots[snapshot_id].file, os.O_RDONLY)
        self._volumes[volume_id] = volume

        def fill() -> None:
            error = _copied(source, volume.file, gib, lambda _: None)
            volume.state = "error" if error else "available"
            if volume_id not in self._volumes:  # deleted meanwhile
                volume.file.unlink(missing_ok=True)

        start(fill)

    def grow_volume(self, volume_id: str, gib: int) -> None:
        """See machines.Blocks."""
        volume = self._volumes[volume_id]
        need_space(HERE, _ROOM_MIB)
        os.truncate(volume.file, gib << 30)
        volume.gib = gib
        if volume.loop:
            loop.grow(volume.loop)

    def delete_volume(self, volume_id: str) -> None:
        """See machines.Blocks."""
        self._volumes.pop(volume_id).file.unlink(missing_ok=True)

    def volume(self, volume_id: str) -> VolumeState:
        """See machines.Blocks."""
        return self._volumes[volume_id].state

    def create_snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """See machines.Blocks."""
        volume = self._volumes[volume_id]
        moment = ExitStack()
        try:
            # Off, no machine gets it until it is copied; on, what is mounted is written out and
            # stands still as long: the host's file system may not be able to share blocks.
            volume.lock.acquire()
            moment.callback(volume.lock.release)
            pid = self._leader(volume.instance_id) if volume.instance_id else None
            if volume.loop:
                moment.enter_context(filesystems.frozen(pid, loop.number(volume.loop)))
            self._copy(snapshot_id, volume.file, volume.gib, moment)
        except BaseException:
            moment.close()
            raise

    def create_root_snapshot(
        self, snapshot_id: str, volume: Path, gib: int, still: AbstractContextManager[None]
    ) -> None:
        """A machine's root disk is being copied, once `still` lets it; see machines.Machines."""
        snapshot = _Snapshot(snapshot_id, gib)
        snapshot.file.parent.mkdir(parents=True, exist_ok=True)
        need_space(HERE, _ROOM_MIB)
        disk.link(snapshot.file, disk.layers(volume)[1:])
        source = os.open(volume, os.O_RDONLY)
        self._snapshots[snapshot_id] = snapshot
        moment = ExitStack()
        start(lambda: self._fill(snapshot, source, moment, still))

    def layers(self, snapshot_id: str) -> list[Path]:
        """The files that a disk of this snapshot has below it. KeyError."""
        return disk.layers(self._snapshots[snapshot_id].file)

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        """See machines.Blocks."""
        source = self._snapshots[source_id]
        self._copy(snapshot_id, source.file, source.gib, ExitStack())

    def _copy(self, snapshot_id: str, file: Path, gib: int, moment: ExitStack) -> None:
        snapshot = _Snapshot(snapshot_id, gib)
        snapshot.file.parent.mkdir(parents=True, exist_ok=True)
        need_space(HERE, _ROOM_MIB)
        source = os.open(file, os.O_RDONLY)
        self._snapshots[snapshot_id] = snapshot

        start(lambda: self._fill(snapshot, source, moment))

    def _fill(
        self,
        snapshot: _Snapshot,
        source: int,
        moment: ExitStack,
        still: AbstractContextManager[None] | None = None,
    ) -> None:
        def done(percent: int) -> None:
            snapshot.percent = min(99, percent)

        with moment:
            if still:
                moment.enter_context(still)
            snapshot.error = _copied(source, snapshot.file, snapshot.gib, done)
        if snapshot.id not in self._snapshots:  # deleted meanwhile
            snapshot.remove()
        elif not snapshot.error:
            snapshot.percent = 100

    def delete_snapshot(self, snapshot_id: str) -> None:
        """See machines.Blocks."""
        self._snapshots.pop(snapshot_id).remove()

    def snapshot(self, snapshot_id: str) -> Progress:
        """See machines.Blocks."""
        snapshot = self._snapshots[snapshot_id]
        return Progress(snapshot.percent, snapshot.error)


def _copied(source: int, target: Path, gib: int, done: Callable[[int], None]) -> str:
    """What went wrong; empty when the copy is whole. Closes the source."""
    try:
        copying.copy(source, target, gib, done)
    except (LocalError, OSError) as error:
        target.unlink(missing_ok=True)
        log.error("%s: %s", target, error)
        return error.message if isinstance(error, LocalError) else str(error)
    finally:
        os.close(source)
    return ""


def thaw() -> None:
    """No machine waits for a copy that a killed daemon had begun."""
    numbers = [loop.number(device) for device in loop.below(HERE)]
    for pid in cgroups.processes() if numbers else ():
        for number in numbers:
            with filesystems.mounted(pid, number) as directory:
                if directory is not None:
                    filesystems.thaw(directory)


def _revive(device: Path) -> None:
    """Nothing holds the device that was frozen when its last mount went with its machine.

    Linux keeps such a file system until it is thawed, for which it has to be mounted again.
    """
    place = HERE / "revived"
    place.mkdir(parents=True, exist_ok=True)
    run(["mount", device, place], check=False)
    if place.is_mount():
        directory = os.open(place, os.O_RDONLY)
        filesystems.thaw(directory)
        os.close(directory)
    unmount_below(place)


def sweep() -> None:
    """No volume, snapshot or loop device is left; call when no machine runs."""
    for device in loop.below(HERE):
        loop.detach(device)
    for device in loop.below(HERE):
        _revive(device)
    end = time.monotonic() + _MOMENT
    while loop.below(HERE) and time.monotonic() < end:  # the host's udev may look at them still
        time.sleep(0.05)
    shutil.rmtree(HERE, ignore_errors=True)
