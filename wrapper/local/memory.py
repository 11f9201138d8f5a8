"""A machine's /proc/meminfo: the instance type's memory, in use what its control group uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cgroups

if TYPE_CHECKING:
    from pathlib import Path

    from .machines import MachineSpec


def text(total_mib: int, stat: dict[str, int]) -> str:
    """The file's contents, always of the same length, so that it is overwritten in place."""
    total = total_mib * 1024
    used = min(total, stat.get("used", 0) // 1024)
    cached = min(used, stat.get("file", 0) // 1024)
    free = total - used
    # Shared memory is accounted as cache, but cannot be dropped.
    shared = min(cached, stat.get("shmem", 0) // 1024)
    values = {
        "MemTotal": total,
        "MemFree": free,
        "MemAvailable": free + cached - shared,
        "Buffers": 0,
        "Cached": cached,
        "SwapCached": 0,
        "Active": stat.get("active_anon", 0) // 1024,
        "Inactive": stat.get("inactive_file", 0) // 1024,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Shmem": shared,
        "Slab": stat.get("slab", 0) // 1024,
        "SReclaimable": 0,
    }
    return "".join(f"{name + ':':<16}{value:>10} kB\n" for name, value in values.items())


def write(spec: MachineSpec, path: Path) -> None:
    """The file tells the machine's memory as it is now."""
    now = text(spec.memory_mib, cgroups.memory_stat(spec.instance_id))
    # In place: the machine has this very inode mounted.
    with path.open("r+" if path.exists() else "w") as file:
        file.write(now)
