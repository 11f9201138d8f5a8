"""Which machine has which volume: loop devices while it runs, shown in its /dev."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import devices, filesystems, loop
from .host import STATE, log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .machines import AttachmentState, VolumeState

HERE = STATE / "blocks"
_LOOK_AGAIN = 0.2


@dataclass
class Volume:
    """A volume, its file, and the machine that has it."""

    id: str
    gib: int
    state: VolumeState = "creating"
    instance_id: str | None = None
    device: str = ""
    """What the API calls it, /dev/sdf."""
    index: int = 0
    """Of its NVMe controller in the machine; the root disk's is 0."""
    loop: Path | None = None
    shown: bool = False
    detaching: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held to copy it, and to give it to a machine or take it away."""

    @property
    def file(self) -> Path:
        """Its blocks, the holes left out."""
        return HERE / "volumes" / self.id

    @property
    def node(self) -> str:
        """What the machine calls it."""
        return f"nvme{self.index}n1"


class Plugs:
    """Volumes in machines; see machines.Blocks. `leader` tells the PID 1 of one that is on."""

    def __init__(self, leader: Callable[[str], int | None]) -> None:
        self._leader = leader
        self._volumes: dict[str, Volume] = {}
        self._on: dict[str, object] = {}
        """Machines that are on, each with a mark of that boot."""
        self._lock = threading.RLock()

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        """See machines.Blocks."""
        volume = self._volumes[volume_id]
        with self._lock:
            taken = {one.index for one in self._of(instance_id)}
            volume.index = next(index for index in range(1, 100) if index not in taken)
            volume.instance_id, volume.device, volume.detaching = instance_id, device, False
            on = instance_id in self._on
        if on:
            start(lambda: self._give(instance_id))

    def detach(self, volume_id: str, *, force: bool = False) -> None:
        """See machines.Blocks."""
        volume = self._volumes[volume_id]
        with self._lock:
            volume.detaching = True
            if volume.instance_id not in self._on:
                volume.instance_id = None
                return

        def leave() -> None:
            while volume.detaching and volume.instance_id is not None:
                if force or volume.loop is None or not loop.in_use(volume.loop):
                    self._take(volume, pulled=force)
                    volume.instance_id = None
                    return
                time.sleep(_LOOK_AGAIN)

        start(leave)

    def attachment(self, volume_id: str) -> AttachmentState:
        """See machines.Blocks."""
        volume = self._volumes[volume_id]
        device = volume.loop
        if volume.instance_id is None:
            return "detached"
        if volume.detaching:
            return "busy" if device and loop.in_use(device) else "detaching"
        on = volume.instance_id in self._on
        return "attaching" if on and not volume.shown else "attached"

    def devices(self, instance_id: str) -> list[str]:
        """The API's names of the machine's volumes, in the order of their controllers."""
        ours = sorted(self._of(instance_id), key=lambda one: one.index)
        return [one.device for one in ours]

    def _of(self, instance_id: str) -> list[Volume]:
        with self._lock:
            return [one for one in self._volumes.values() if one.instance_id == instance_id]

    def powered_on(self, instance_id: str) -> None:
        """The machine boots: it gets its volumes as soon as its systemd runs."""
        with self._lock:
            self._on[instance_id] = object()
        start(lambda: self._give(instance_id))

    def powered_off(self, instance_id: str) -> None:
        """The machine is off, everything unmounted by the kernel: it has no devices any more."""
        with self._lock:
            self._on.pop(instance_id, None)
            ours = self._of(instance_id)
        for volume in ours:
            self._take(volume)
            if volume.detaching:
                volume.instance_id = None

    def pull(self, instance_id: str) -> None:
        """What the machine did not write yet is lost, as when its power fails."""
        for volume in self._of(instance_id):
            self._break(volume)

    def _give(self, instance_id: str) -> None:
        """The machine, in its present boot, has all its volumes as devices."""
        boot = self._on.get(instance_id)

        def on() -> bool:
            return boot is not None and self._on.get(instance_id) is boot

        pid = devices.wait_for_guest(lambda: self._leader(instance_id), on)
        for volume in self._of(instance_id) if pid else []:
            try:
                with volume.lock:
                    if pid and on() and not volume.shown and not volume.detaching:
                        volume.loop = volume.loop or loop.attach(volume.file)
                        number = loop.number(volume.loop)
                        devices.show(pid, volume.node, volume.id, number)
                        volume.shown = True
            except (LocalError, OSError) as error:
                log.error("%s does not get %s: %s", instance_id, volume.id, error)

    def _take(self, volume: Volume, *, pulled: bool = False) -> None:
        """No machine has the volume as a device."""
        if pulled:
            self._break(volume)
        with volume.lock:
            pid = self._leader(volume.instance_id) if volume.instance_id else None
            if pid:
                devices.hide(pid, volume.node, volume.id)
            if volume.loop:
                loop.detach(volume.loop)
            volume.loop, volume.shown = None, False

    def _break(self, volume: Volume) -> None:
        pid = self._leader(volume.instance_id) if volume.instance_id else None
        if volume.loop and pid:
            with filesystems.mounted(pid, loop.number(volume.loop)) as directory:
                if directory is not None:
                    filesystems.shut_down(directory)


def start(target: Callable[[], None]) -> None:
    """It goes on in the background."""
    threading.Thread(target=target, daemon=True).start()
