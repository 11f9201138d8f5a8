"""What a machine has and uses, as it tells in /clouds/resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper.notebook.model import Autostop

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Gpu:
    """One GPU; its field names are a contract. None: it does not tell."""

    name: str
    percent: int | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None


@dataclass(frozen=True)
class Kernel:
    """One kernel; its field names are a contract."""

    id: str
    name: str
    notebooks: tuple[str, ...]
    state: str
    """busy, idle, waiting (for input), or Jupyter's word for another."""
    seconds: float
    """For so long."""


@dataclass(frozen=True)
class Resources:
    """One look. Processor time is of all cores since the boot: two looks make a rate."""

    time: float
    """The machine's, in seconds since 1970."""
    cores: int
    load: float
    cpu_used: float
    cpu_total: float
    memory_total: int
    memory_available: int
    disk_total: int
    disk_free: int
    gpus: tuple[Gpu, ...]
    kernels: tuple[Kernel, ...]
    notice: str | None
    """What JupyterLab shows, `{time}` standing for the next."""
    notice_time: str | None
    autostop: Autostop | None


def parse(raw: Mapping[str, Any]) -> Resources:
    """The machine's words as values. LookupError, TypeError, ValueError, AttributeError."""
    cpu, memory, disk, notice = raw["cpu"], raw["memory"], raw["disk"], raw["notice"] or {}
    return Resources(
        time=float(raw["time"]),
        cores=int(cpu["cores"]),
        load=float(cpu["load"]),
        cpu_used=float(cpu["used"]),
        cpu_total=float(cpu["total"]),
        memory_total=int(memory["total"]),
        memory_available=int(memory["available"]),
        disk_total=int(disk["total"]),
        disk_free=int(disk["free"]),
        gpus=tuple(
            Gpu(_plain(one["name"]), one["percent"], one["memory_used"], one["memory_total"])
            for one in raw["gpus"]
        ),
        kernels=tuple(
            Kernel(
                str(one["id"]),
                _plain(one["name"]),
                tuple(map(_plain, one["notebooks"])),
                _plain(one["state"]),
                float(one["seconds"]),
            )
            for one in raw["kernels"]
        ),
        notice=_plain(notice["text"]) if notice else None,
        notice_time=str(notice["time"]) if notice.get("time") else None,
        autostop=autostop(raw["autostop"]) if raw["autostop"] else None,
    )


def autostop(raw: Mapping[str, Any]) -> Autostop:
    """The same for what /clouds/autostop tells."""
    return Autostop(
        busy=tuple(map(str, raw["busy"])),
        idle_minutes=float(raw["idle_minutes"]),
        max_hours=float(raw["max_hours"]),
        began=str(raw["began"]),
        **{name: raw[name] for name in ("ends_at", "idle_since", "idle_stops_at")},
        stopping=raw.get("stopping"),
        last_ended=raw.get("last_ended"),
    )


def _plain(words: object) -> str:
    """Fit for somebody's terminal: notebooks and kernels are named by others."""
    return "".join(one if one.isprintable() else "?" for one in str(words))[:200]
