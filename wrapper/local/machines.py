"""What the EC2 API asks of the room that runs machines: plain values and one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]

AttachmentState = Literal["attaching", "attached", "detaching", "busy", "detached"]
"""Busy: it was to be detached and the machine has a file system on it mounted."""
VolumeState = Literal["creating", "available", "error"]

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
    """The root file system below everything that the machine, or an image, has written."""
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
    root_snapshot: str | None = None
    """What its root disk begins with: another machine's, see Machines.create_root_snapshot."""


@dataclass(frozen=True)
class Progress:
    """How far a snapshot is: of 100, and what went wrong, if something did."""

    percent: int
    error: str = ""


class Blocks(Protocol):
    """The room's block devices: volumes and their copies, known by id in all regions.

    Calls return at once; `volume`, `attachment` and `snapshot` tell how far things are. Each
    raises KeyError for an id that was never made, and LocalError when the host refuses (disk full).
    """

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        """A volume is being made: blank, or of the blocks of a snapshot."""

    def grow_volume(self, volume_id: str, gib: int) -> None:
        """The volume is larger, also where a machine has it at this moment."""

    def delete_volume(self, volume_id: str) -> None:
        """There is no such volume any more."""

    def volume(self, volume_id: str) -> VolumeState:
        """Whether its blocks are there yet."""
        ...

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        """The machine gets the volume as a block device, now and at each of its boots."""

    def detach(self, volume_id: str, *, force: bool = False) -> None:
        """It is taken from its machine as soon as nothing there is mounted; forced, at once."""

    def attachment(self, volume_id: str) -> AttachmentState:
        """How it stands with the volume's machine."""
        ...

    def create_snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """The volume's blocks as they are at this moment are being copied."""

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        """A completed snapshot is being copied."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """There is no such snapshot any more; volumes made of it stay."""

    def snapshot(self, snapshot_id: str) -> Progress:
        """How far the copying is."""
        ...


@dataclass(frozen=True)
class Role:
    """The role that a machine has by its instance profile."""

    account: str
    name: str
    profile_arn: str
    profile_id: str


@dataclass(frozen=True)
class Notice:
    """What the market tells a machine; times as "2026-11-23T10:11:12Z"."""

    action: Literal["stop", "terminate", "hibernate"] | None = None
    time: str = ""
    """When the action happens."""
    rebalance: str = ""
    """When EC2 found that it is likely to; empty when it did not."""


class Machines(Protocol):
    """The machine room. Calls return at once; `state` tells how far things are.

    Each raises KeyError for an instance id that was never launched, and
    wrapper.errors.LocalError when the host refuses (disk full, image not built).
    """

    @property
    def blocks(self) -> Blocks:
        """The volumes that its machines may have."""
        ...

    def launch(self, spec: MachineSpec) -> None:
        """The machine boots in the background, "pending" until its systemd runs."""

    def start(self, instance_id: str) -> None:
        """A stopped machine boots from its own disk."""

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """The machine shuts down cleanly, or, forced, as if its plug were pulled."""

    def hibernate(self, instance_id: str) -> None:
        """The machine is stopped with its memory kept; it shuts down where the host cannot."""

    def reboot(self, instance_id: str) -> None:
        """The machine restarts cleanly, its state "running" throughout."""

    def terminate(self, instance_id: str, *, force: bool = False) -> None:
        """Machine and disk are going, forced: at once; "terminated" when both are gone."""

    def create_root_snapshot(self, snapshot_id: str, instance_id: str, *, reboot: bool) -> None:
        """The machine's root disk is being copied, a snapshot of `blocks` that machines begin with.

        A running machine stands still for as long; with `reboot` it is shut down for it.
        """

    def state(self, instance_id: str) -> State:
        """As it is now: a machine that shut itself down is "stopped"."""
        ...

    def failure(self, instance_id: str) -> str:
        """Why the host could not make or start it, empty when it could: then nobody ended it."""
        ...

    def console(self, instance_id: str) -> bytes:
        """The last 64 KiB of what it wrote to its console; kept after termination."""
        ...

    def set_public_address(self, instance_id: str, address: str | None) -> None:
        """The machine answers on that address of 198.18.0.0/15, and on no other public one."""

    def set_ingress(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        """Exactly these rules let traffic in, from now on."""

    def set_notice(self, instance_id: str, notice: Notice | None) -> None:
        """The machine's metadata tells this from now on; None is nothing."""

    def set_role(self, instance_id: str, role: Role | None) -> None:
        """The machine's metadata has that role's credentials from now on; None: no role's."""
