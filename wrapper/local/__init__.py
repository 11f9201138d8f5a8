"""The embedded EC2: EC2's API on this host, real machines behind it. This is its door.

machines      what the API asks of the machine room: values and one protocol
api/          the EC2 API (moto, extended)
room          the machine room; machine, container, console, memory, cgroups are its parts
blocks        volumes and snapshots; plugs, those in machines; devices, in a machine's /dev; loop,
              copying, filesystems, what the host does for them
image, guest  Debian root file systems, and what makes them guests
network       the router namespace; firewall, its rules; metadata, IMDSv2 inside it; s3, the
              machines' door to S3 inside it
conda/        a stand-in for Miniforge where conda's servers cannot be reached
daemon        the process that holds it all; service, how it is started and stopped; sweep;
              record, what it tells of itself
installation  whose code the daemon runs
requirements  what this host has to have
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .requirements import Requirement, missing

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Requirement", "Status", "missing", "start", "status", "stop"]


@dataclass(frozen=True)
class Status:
    """The embedded EC2 as it is now."""

    running: bool
    endpoint: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    """Points any AWS client, and plain Terraform, at it."""
    pid: int | None = None
    log: str = "/var/lib/jupyter-clouds-local/daemon.log"
    machines: list[dict[str, Any]] = field(default_factory=list)
    """instance_id, state, private_ip, public_ip, pid (of the machine's PID 1, or None)."""
    installation: str = ""
    """The folder of the code that it runs; empty when it does not tell."""


def start(*, report: Callable[[str], None] | None = None) -> Status:
    """It runs; started now, and cleaned up before, when it did not. Raises LocalError.

    The first start takes a minute, since it makes the machines' root file system; `report` is
    told what it is at.
    """
    from . import service  # noqa: PLC0415 - the door is light, what is behind it is not

    return service.start(report or (lambda _: None))


def stop() -> Status:
    """It does not run, and no process, namespace, mount or rule of it is left. LocalError."""
    from . import service  # noqa: PLC0415 - likewise

    return service.stop()


def status() -> Status:
    """Whether it runs, as its health check answers; needs no root."""
    from . import service  # noqa: PLC0415 - likewise

    return service.status()
