"""The machine room: the protocol of `machines.py`, with real machines behind it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import network
from .blocks import Blocks
from .host import log
from .machine import Machine, need_room
from .metadata import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machines import IngressRule, MachineSpec, Notice, Role, State

_TICK = 2.0
_MOMENT = 15.0


class Room:
    """Runs between `open` and `close`; see machines.Machines for what each call means."""

    def __init__(self) -> None:
        self.blocks = Blocks(self._leader)
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._metadata: Server | None = None

    def open(self) -> None:
        """The network is up and the metadata answers; raises LocalError."""
        network.up()
        listening = network.listen(network.METADATA_ADDRESS, 80)
        self._metadata = metadata = Server(listening, self.at)
        for target in (metadata.serve_forever, self._tick):
            threading.Thread(target=target, daemon=True).start()

    def close(self) -> None:
        """Every machine is gone and so is the network."""
        self._closing.set()
        if self._metadata:
            self._metadata.shutdown()
            self._metadata.server_close()
        for machine in self.all():
            machine.terminate(at_once=True)
        for machine in self.all():
            if not machine.wait(_MOMENT):
                log.error("%s does not end", machine.spec.instance_id)
        network.down()

    def _tick(self) -> None:
        while not self._closing.wait(_TICK):
            for machine in self.all():
                machine.tick()

    def all(self) -> list[Machine]:
        """Every machine ever launched here."""
        with self._lock:
            return list(self._machines.values())

    def at(self, private_ip: str) -> Machine | None:
        """The machine that has the address now."""
        here = (m for m in self.all() if m.spec.private_ip == private_ip)
        return next((m for m in here if m.state != "terminated"), None)

    def launch(self, spec: MachineSpec) -> None:
        """See machines.Machines."""
        if self.at(spec.private_ip):
            raise LocalError(
                f"{spec.private_ip} is taken by another machine: the embedded EC2 has one address "
                "space for all its networks",
                hint="give the subnet another range",
            )
        need_room()  # here, where whoever asked can be told; not when the machine is being made
        with self._lock:
            self._machines[spec.instance_id] = Machine(spec, self.blocks)

    def _leader(self, instance_id: str) -> int | None:
        machine = self._machines.get(instance_id)
        return machine.pid if machine else None

    def start(self, instance_id: str) -> None:
        """See machines.Machines."""
        self._machines[instance_id].start()

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """See machines.Machines."""
        self._machines[instance_id].stop(force=force)

    def hibernate(self, instance_id: str) -> None:
        """See machines.Machines."""
        self._machines[instance_id].hibernate()

    def reboot(self, instance_id: str) -> None:
        """See machines.Machines."""
        self._machines[instance_id].reboot()

    def terminate(self, instance_id: str, *, force: bool = False) -> None:
        """See machines.Machines."""
        self._machines[instance_id].terminate(at_once=force)

    def create_root_snapshot(self, snapshot_id: str, instance_id: str, *, reboot: bool) -> None:
        """See machines.Machines."""
        self._machines[instance_id].create_root_snapshot(snapshot_id, reboot=reboot)

    def state(self, instance_id: str) -> State:
        """See machines.Machines."""
        return self._machines[instance_id].state

    def failure(self, instance_id: str) -> str:
        """See machines.Machines."""
        return self._machines[instance_id].failure

    def console(self, instance_id: str) -> bytes:
        """See machines.Machines."""
        return self._machines[instance_id].console.read()

    def set_public_address(self, instance_id: str, address: str | None) -> None:
        """See machines.Machines."""
        self._machines[instance_id].set_public_address(address)

    def set_ingress(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        """See machines.Machines."""
        self._machines[instance_id].set_ingress(rules)

    def set_notice(self, instance_id: str, notice: Notice | None) -> None:
        """See machines.Machines."""
        self._machines[instance_id].notice = notice

    def set_role(self, instance_id: str, role: Role | None) -> None:
        """See machines.Machines."""
        self._machines[instance_id].role = role
