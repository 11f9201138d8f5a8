"""What the EC2 adapter takes and gives: frozen values, no library's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

Market = Literal["spot", "on-demand"]
LeftoverKind = Literal[
    "request",
    "instance",
    "challenge",
    "record",
    "address",
    "volume",
    "interface",
    "rule",
    "group",
    "key-pair",
    "bucket",
    "role",
]
"""What a deployment can leave behind, in the order in which it can be removed."""

DEPLOYMENT_TAG = "jupyter-clouds:deployment"
DATA_TAG = "jupyter-clouds:data-of"
"""Name of the deployment whose data a volume or a snapshot holds, also of one that is down."""

ARCHITECTURE_TAG = "jupyter-clouds:architecture"
"""What the environments on a volume, or in a snapshot, run on."""

IMAGE_TAG = "jupyter-clouds:image-of"
"""Name of the deployment whose machine an image was made of; on its snapshot, too."""

SnapshotKind = Literal["final", "manual", "move"]


@dataclass(frozen=True)
class Pace:
    """Pauses between two looks at something that takes its time, in seconds."""

    first: float = 1.0
    growth: float = 1.3
    longest: float = 4.0


@dataclass(frozen=True)
class Identity:
    """Who the credentials belong to."""

    account: str
    arn: str


@dataclass(frozen=True)
class Needs:
    """What a machine has to have at least."""

    memory_gib: float = 0
    cpus: int = 0
    gpus: int = 0
    gpu_memory_gib: float = 0
    """Of each GPU."""
    architectures: tuple[Literal["x86_64", "arm64"], ...] = ("x86_64", "arm64")


@dataclass(frozen=True)
class Kind:
    """An instance type, and what it has."""

    name: str
    architecture: Literal["x86_64", "arm64"]
    cpus: int
    memory_gib: float
    gpus: int
    """NVIDIA's, whole ones."""
    gpu: str | None
    gpu_memory_gib: float
    """Of each."""
    nitro: bool
    spot: bool


@dataclass(frozen=True)
class SpotPrice:
    """A price in one zone, from one moment on."""

    instance_type: str
    zone: str
    dollars: Decimal
    """US dollars an hour."""
    since: datetime


@dataclass(frozen=True)
class Request:
    """A machine that somebody wants, before anything is made."""

    instance_type: str
    spot: bool
    region: str | None = None
    """None: the one that the adapter was made for."""
    ami_id: str | None = None
    subnet_id: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class Facts:
    """What EC2 says of the machine that was asked for."""

    architecture: Literal["x86_64", "arm64"]
    vcpus: int
    memory_mib: int
    zones: tuple[str, ...]
    """Availability zones that offer the type and have a subnet it can go to, sorted."""
    subnets: dict[str, str] = field(default_factory=dict, compare=False)
    """The subnet of each of these zones, by zone."""
    nitro: bool = field(default=True, compare=False)
    """False for the older Xen generation, which shows a disk's id to nobody inside."""
    gpus: int = field(default=0, compare=False)
    """NVIDIA's, whole ones."""
    gpu_memory_gib: float = field(default=0.0, compare=False)
    """Of each."""


@dataclass(frozen=True)
class Instance:
    """One machine, as EC2 describes it now."""

    instance_id: str
    name: str | None
    """Name of the deployment, from its tag; None when spot left it untagged."""
    state: str
    """pending, running, stopping, stopped, shutting-down or terminated."""
    state_reason: str | None
    """EC2's words for why it is in this state, such as "Client.UserInitiatedShutdown: ..."."""
    instance_type: str
    zone: str
    market: Market
    public_ip: str | None
    launched_at: datetime
    """Of the last start, not the first."""
    spot_request_id: str | None
    imdsv2_required: bool
    stopped_at: datetime | None = None
    """When it began to stop or to end, as EC2 tells; None while it runs, or untold."""


@dataclass(frozen=True)
class SpotRequest:
    """One request for a spot machine."""

    request_id: str
    name: str | None
    state: str
    """open, active, disabled, cancelled, closed or failed."""
    status: str
    """EC2's status code: fulfilled, capacity-not-available, instance-stopped-by-user, ..."""
    message: str
    instance_id: str | None
    persistent: bool = True
    """False for a one-time request, whose machine cannot be stopped."""


@dataclass(frozen=True)
class Ended:
    """One thing that `end_machines` ended."""

    kind: Literal["request", "instance"]
    id: str


@dataclass(frozen=True)
class Leftover:
    """Something of a deployment that still exists in the account."""

    kind: LeftoverKind
    id: str
    detail: str
    """For a person: state, size, address."""
    parent: str | None = None
    """The security group of a rule, the zone of a record or challenge; None for all else."""


@dataclass(frozen=True)
class Holding:
    """Something of a deployment that costs by the month."""

    kind: Literal["volume", "snapshot", "address"]
    id: str
    name: str
    """Of the deployment."""
    gib: int
    """0 for an address."""
    since: datetime | None
    """When it was made; None where EC2 does not tell."""


@dataclass(frozen=True)
class Volume:
    """A disk, as EC2 describes it now."""

    volume_id: str
    gib: int
    state: str
    """creating, available, in-use, deleting, deleted or error."""
    zone: str
    encrypted: bool
    created_at: datetime
    data_of: str | None
    """Name of the deployment whose data it holds, from its tag."""
    deployment: str | None
    """Name of the deployment that it is a part of now; None once it is kept."""
    attached_to: str | None
    """Id of the machine."""
    snapshot_id: str | None
    """What it was made from."""
    kept_at: datetime | None
    """When it was released from its deployment; None unless it is kept."""
    ending: str | None
    """Mark of the `down` that began to take its final snapshot."""
    untouched: bool = False
    """No machine has ever had it, as far as it is marked."""
    ends_with_machine: bool = False
    """EC2 deletes it with the machine; never so when Terraform attached it."""
    architecture: str | None = None
    """Of the environments on it, from its tag; None where it has none."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of a volume at one moment, as EC2 describes it now."""

    snapshot_id: str
    volume_id: str
    """Of no meaning for a copy from another region."""
    gib: int
    state: str
    """pending, completed, error, recoverable or recovering."""
    percent: int
    message: str
    """EC2's words for an error."""
    encrypted: bool
    started_at: datetime
    """The moment that it shows."""
    data_of: str | None
    kind: str | None
    """final, manual or move; None for one that was made otherwise."""
    ending: str | None
    """Mark of the `down` that took it, the same as the volume's."""
    copy_of: str | None
    """The snapshot of another region that it was copied from."""
    architecture: str | None = None
    """Of the environments in it, from its tag; None where it has none."""


@dataclass(frozen=True)
class Image:
    """An image that was made of a deployment's machine, as EC2 describes it now."""

    image_id: str
    name: str
    """Of the image."""
    image_of: str
    """Name of the deployment."""
    state: str
    """pending, available, failed, ..."""
    message: str
    """EC2's words for a failure."""
    architecture: str
    gib: int
    """Of the disk that a machine needs at least."""
    made_at: datetime
    snapshot_ids: tuple[str, ...]
    tags: dict[str, str]
