"""What the EC2 API asks of the room that runs machines: plain values and one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]

IMAGES = ("debian-12", "debian-13")
"""The images that machines can be made of; names as in MachineSpec.image."""


@dataclass(frozen=True)
class IngressRule:
    """Traffic let in from a network. Protocol "-1" is all of them; ports are inclusive."""

    protocol: str
    from_port: int
    to_port: int
    cidr: str


@dataclass(frozen=True)
class MachineSpec:
    """All that a machine needs to boot, decided by the API before."""

    instance_id: str
    image: str
    architecture: str
    instance_type: str
    memory_mib: int
    private_ip: str
    mac: str
    subnet_cidr: str
    vpc_cidr: str
    region: str
    zone: str
    account_id: str
    ami_id: str
    root_gib: int
    user_data: bytes
    """As it was given, decoded from base64 and nothing else: gzip stays gzip."""
    public_keys: tuple[str, ...] = ()
    """OpenSSH public keys, "type base64 comment"."""
    security_groups: tuple[str, ...] = ()
    """Names, as the metadata shows them."""
    lifecycle: Literal["on-demand", "spot"] = "on-demand"
    public_ip: str | None = None
    """Address that the machine has from the first moment on, out of 198.18.0.0/15."""
    ingress: tuple[IngressRule, ...] = field(default=())
    """In force before the machine has an address; nothing listed is let in."""


class Machines(Protocol):
    """The machine room. Calls return at once; `state` tells how far things are.

    Each raises KeyError for an instance id that was never launched, and
    wrapper.errors.LocalError when the host refuses (disk full, image not built).
    """

    def launch(self, spec: MachineSpec) -> None:
        """The machine boots in the background, "pending" until its systemd runs."""

    def start(self, instance_id: str) -> None:
        """A stopped machine boots from its own disk."""

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """The machine shuts down cleanly, or, forced, as if its plug were pulled."""

    def reboot(self, instance_id: str) -> None:
        """The machine restarts cleanly, its state "running" throughout."""

    def terminate(self, instance_id: str) -> None:
        """Machine and disk are going; "terminated" when both are gone."""

    def state(self, instance_id: str) -> State:
        """As it is now: a machine that shut itself down is "stopped"."""
        ...

    def console(self, instance_id: str) -> bytes:
        """The last 64 KiB of what it wrote to its console; kept after termination."""
        ...

    def set_public_address(self, instance_id: str, address: str | None) -> None:
        """The machine answers on that address of 198.18.0.0/15, and on no other public one."""

    def set_ingress(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        """Exactly these rules let traffic in, from now on."""
