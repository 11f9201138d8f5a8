"""Machines that are states and nothing else: for plans and for tests of the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.local.machines import IngressRule, MachineSpec, State

TRANSITION_SECONDS: Final = 0.5
"""Long enough to be seen by a client that polls, short enough not to be waited for."""

SETTLED: Final[dict[State, State]] = {
    "pending": "running",
    "stopping": "stopped",
    "shutting-down": "terminated",
}


class ImaginaryMachines:
    """The machine room without machines: each transition takes half a second."""

    def __init__(self) -> None:
        self.specs: dict[str, MachineSpec] = {}
        self.addresses: dict[str, str | None] = {}
        self.ingress: dict[str, tuple[IngressRule, ...]] = {}
        self._states: dict[str, tuple[State, float]] = {}

    def launch(self, spec: MachineSpec) -> None:
        self.specs[spec.instance_id] = spec
        self.addresses[spec.instance_id] = spec.public_ip
        self.ingress[spec.instance_id] = spec.ingress
        self._enter(spec.instance_id, "pending")

    def start(self, instance_id: str) -> None:
        self._enter(instance_id, "pending")

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        self._enter(instance_id, "stopped" if force else "stopping")

    def reboot(self, instance_id: str) -> None:
        self._enter(instance_id, "running")

    def terminate(self, instance_id: str) -> None:
        self._enter(instance_id, "shutting-down")

    def state(self, instance_id: str) -> State:
        state, since = self._states[instance_id]
        if time.monotonic() - since < TRANSITION_SECONDS:
            return state
        return SETTLED.get(state, state)

    def console(self, instance_id: str) -> bytes:
        return f"imaginary machine {instance_id}: {self.state(instance_id)}\n".encode()

    def set_public_address(self, instance_id: str, address: str | None) -> None:
        self.addresses[instance_id] = address

    def set_ingress(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        self.ingress[instance_id] = tuple(rules)

    def _enter(self, instance_id: str, state: State) -> None:
        self._states[instance_id] = (state, time.monotonic())
