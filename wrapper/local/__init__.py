"""The embedded EC2: EC2's API on this host, real machines behind it. This is its door.

machines      what the API asks of the machine room: values and one protocol
api/          the EC2 API (moto, extended)
room          the machine room; machine, container, console, memory, cgroups are its parts
blocks        volumes and snapshots; plugs, those in machines; devices, in a machine's /dev; loop,
              copying, filesystems, what the host does for them
image, guest  Debian root file systems, and what makes them guests
network       the router namespace; firewall, its rules; metadata, IMDSv2 inside it, metadata_tree,
              what that tells; gateway, the machines' door to other services inside it; s3, route53,
              what they may ask of these; credentials, whose a signature is
conda/        a stand-in for Miniforge where conda's servers cannot be reached
daemon        the process that holds it all; service, how it is started and stopped; sweep;
              record, what it tells of itself; health, how it is; door, its own paths; market, who
              asks there
installation  whose code the daemon runs
requirements  what this host has to have
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .requirements import Requirement, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Requirement",
    "Status",
    "capacity",
    "clear",
    "clock",
    "interrupt",
    "missing",
    "price",
    "quota",
    "recommend",
    "series",
    "settled",
    "start",
    "status",
    "stop",
]


@dataclass(frozen=True)
class Status:
    """The embedded EC2 as it is now."""

    running: bool
    endpoint: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    """Points any AWS client, and plain Terraform, at it."""
    pid: int | None = None
    """Of its process, which may be there without running: see `stage`."""
    stage: str = ""
    """What it is at, or that it does not answer; empty when it runs, or is not there."""
    log: str = "/var/lib/jupyter-clouds-local/daemon.log"
    machines: list[dict[str, Any]] = field(default_factory=list)
    """instance_id, state, private_ip, public_ip, pid (of the machine's PID 1, or None)."""
    installation: str = ""
    """The folder of the code that it runs; empty when it does not tell."""
    market: dict[str, Any] = field(default_factory=dict)
    """What was decided about it: capacity, interruptions, prices, quotas."""


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
    from . import health  # noqa: PLC0415 - likewise

    return health.status()


def settled(*, report: Callable[[str], None] | None = None) -> Status:
    """As `status`, once it runs or its process is gone. LocalError: it is there, and silent."""
    from . import health  # noqa: PLC0415 - likewise

    return health.settled(report or (lambda _: None))


def clear() -> None:
    """Nothing of one that was killed, or that a reboot ended, is left on this host. LocalError."""
    from . import service  # noqa: PLC0415 - likewise

    service.clear()


def capacity(
    verb: str, *, zone: str | None = None, instance_type: str | None = None, market: str = "both"
) -> None:
    """There is none ("none") or it is "back", for launches and starts; what runs goes on.

    A zone, type or market not named is all of them. Raises LocalError.
    """
    from .market import ask  # noqa: PLC0415 - likewise

    ask("capacity", verb=verb, zone=zone, instance_type=instance_type, market=market)


def quota(market: str, vcpus: int | None, *, family: str = "standard") -> None:
    """The account may use so many vCPUs in that market; None is no limit. Raises LocalError."""
    from .market import ask  # noqa: PLC0415 - likewise

    ask("quota", market=market, vcpus=vcpus, family=family)


def price(
    instance_type: str,
    dollars: str | float,
    *,
    zone: str | None = None,
    after: float = 120.0,
    at: str | None = None,
) -> None:
    """That is the spot price an hour; who pays less is interrupted `after` seconds. LocalError.

    `at`: since when, such as "2026-11-23T10:00"; until the next that was set.
    """
    series(instance_type, [(at, dollars)], zone=zone, after=after)


def series(
    instance_type: str,
    points: Sequence[tuple[str | None, str | float]],
    *,
    zone: str | None = None,
    after: float = 120.0,
) -> None:
    """As `price`, of many moments, each with its dollars; all of them or none. LocalError."""
    from .market import ask  # noqa: PLC0415 - likewise

    given = [(at, str(dollars)) for at, dollars in points]
    ask("series", instance_type=instance_type, points=given, zone=zone, after=after)


def clock(*, skip: float = 0.0, speed: float | None = None) -> dict[str, Any]:
    """Its time is so many seconds on, and runs so fast; machines' own does not. LocalError.

    Schedules, prices and interruptions follow, of everything on it. The answer has now, ahead
    (seconds) and speed.
    """
    from .market import ask  # noqa: PLC0415 - likewise

    told: dict[str, Any] = ask("clock", skip=skip, speed=speed)
    return told


def interrupt(
    instance_id: str, *, after: float | None = None, notice: bool = True
) -> dict[str, Any]:
    """The spot machine is interrupted: in two minutes, or in `after` seconds. Raises LocalError.

    Without notice its plug is pulled at once. It comes back when there is capacity: withhold that
    first, to keep it down. The answer has instance_id, action, at, notice and cause.
    """
    from .market import ask  # noqa: PLC0415 - likewise

    told: dict[str, Any] = ask("interrupt", instance_id=instance_id, after=after, notice=notice)
    return told


def recommend(instance_id: str) -> None:
    """The spot machine is told that an interruption is likely. Raises LocalError."""
    from .market import ask  # noqa: PLC0415 - likewise

    ask("recommend", instance_id=instance_id)
