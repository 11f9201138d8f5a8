"""Machines that are states and nothing else: for plans and for tests of the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wrapper.local.machines import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrapper.local.machines import (
        AttachmentState,
        IngressRule,
        MachineSpec,
        Notice,
        Role,
        State,
        VolumeState,
    )

TRANSITION_SECONDS: Final = 0.5
"""Long enough to be seen by a client that polls, short enough not to be waited for."""

SETTLED: Final[dict[State, State]] = {
    "pending": "running",
    "stopping": "stopped",
    "shutting-down": "terminated",
}


COPY_SECONDS: Final = 0.5
ATTACH_SECONDS: Final = 0.2


class ImaginaryBlocks:
    """Volumes that are sizes and states; what a test writes to `contents` is what they hold."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.contents: dict[str, str] = {}
        """Of volumes and snapshots: copied as blocks would be."""
        self.machines: dict[str, str] = {}
        self.mounted: set[str] = set()
        """Volumes that a machine has in use: not detached unless forced, or stopped."""
        self._attached: dict[str, float] = {}
        self._detaching: set[str] = set()
        self._copied: dict[str, float] = {}

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        self.sizes[volume_id] = gib
        self.contents[volume_id] = self.contents[snapshot_id] if snapshot_id else ""

    def grow_volume(self, volume_id: str, gib: int) -> None:
        self.sizes[volume_id] = gib

    def delete_volume(self, volume_id: str) -> None:
        del self.sizes[volume_id], self.contents[volume_id]

    def volume(self, volume_id: str) -> VolumeState:
        del volume_id
        return "available"

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        del device
        self._detaching.discard(volume_id)  # its machine of before has ended
        self.machines[volume_id] = instance_id
        self._attached[volume_id] = time.monotonic()

    def detach(self, volume_id: str, *, force: bool = False) -> None:
        self._detaching.add(volume_id)
        if force:
            self.mounted.discard(volume_id)

    def attachment(self, volume_id: str) -> AttachmentState:
        if volume_id not in self.machines:
            return "detached"
        if volume_id in self._detaching:
            if volume_id in self.mounted:
                return "busy"
            self._detaching.discard(volume_id)
            del self.machines[volume_id]
            return "detached"
        young = time.monotonic() - self._attached[volume_id] < ATTACH_SECONDS
        return "attaching" if young else "attached"

    def create_snapshot(self, snapshot_id: str, volume_id: str) -> None:
        self.contents[snapshot_id] = self.contents[volume_id]
        self._copied[snapshot_id] = time.monotonic()

    def create_root_snapshot(self, snapshot_id: str, instance_id: str) -> None:
        """As the machine's; see Machines."""
        self.contents[snapshot_id] = f"the root disk of {instance_id}"
        self._copied[snapshot_id] = time.monotonic()

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        self.create_snapshot(snapshot_id, source_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        del self.contents[snapshot_id], self._copied[snapshot_id]

    def snapshot(self, snapshot_id: str) -> Progress:
        passed = time.monotonic() - self._copied[snapshot_id]
        return Progress(min(100, int(100 * passed / COPY_SECONDS)))

    def off(self, instance_id: str) -> None:
        """The machine has nothing mounted any more."""
        self.mounted -= {one for one, machine in self.machines.items() if machine == instance_id}


class ImaginaryMachines:
    """The machine room without machines: each transition takes half a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.blocks = ImaginaryBlocks()
        self._clock = clock
        self.specs: dict[str, MachineSpec] = {}
        self.addresses: dict[str, str | None] = {}
        self.ingress: dict[str, tuple[IngressRule, ...]] = {}
        self.notices: dict[str, Notice | None] = {}
        self.failures: dict[str, str] = {}
        self.roles: dict[str, Role | None] = {}
        self.hibernated: list[str] = []
        self._states: dict[str, tuple[State, float]] = {}

    def launch(self, spec: MachineSpec) -> None:
        self.specs[spec.instance_id] = spec
        self.addresses[spec.instance_id] = spec.public_ip
        self.ingress[spec.instance_id] = spec.ingress
        self._enter(spec.instance_id, "pending")

    def start(self, instance_id: str) -> None:
        self._enter(instance_id, "pending")

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        self.blocks.off(instance_id)
        self._enter(instance_id, "stopped" if force else "stopping")

    def hibernate(self, instance_id: str) -> None:
        self.hibernated.append(instance_id)
        self._enter(instance_id, "stopping")

    def reboot(self, instance_id: str) -> None:
        self._enter(instance_id, "running")

    def terminate(self, instance_id: str, *, force: bool = False) -> None:
        del force
        self.blocks.off(instance_id)
        self._enter(instance_id, "shutting-down")

    def create_root_snapshot(self, snapshot_id: str, instance_id: str, *, reboot: bool) -> None:
        del reboot
        self.blocks.create_root_snapshot(snapshot_id, instance_id)

    def state(self, instance_id: str) -> State:
        state, since = self._states[instance_id]
        if self._clock() - since < TRANSITION_SECONDS:
            return state
        return SETTLED.get(state, state)

    def failure(self, instance_id: str) -> str:
        return self.failures.get(instance_id, "")

    def console(self, instance_id: str) -> bytes:
        return f"imaginary machine {instance_id}: {self.state(instance_id)}\n".encode()

    def set_public_address(self, instance_id: str, address: str | None) -> None:
        self.addresses[instance_id] = address

    def set_ingress(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        self.ingress[instance_id] = tuple(rules)

    def set_notice(self, instance_id: str, notice: Notice | None) -> None:
        self.notices[instance_id] = notice

    def set_role(self, instance_id: str, role: Role | None) -> None:
        self.roles[instance_id] = role

    def _enter(self, instance_id: str, state: State) -> None:
        self._states[instance_id] = (state, self._clock())
