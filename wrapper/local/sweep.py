"""Clean-up by name: whatever an embedded EC2 left on this host, killed or not, is gone after it."""

from __future__ import annotations

import shutil

from . import blocks, cgroups, disk, network
from .container import NSPAWN
from .host import STATE, unmount_below
from .plugs import HERE


def sweep() -> None:
    """Of no machine anything is left: process, control group, mount, volume, link, route or rule.

    Only while no daemon runs. The cache and the log stay.
    """
    blocks.thaw()
    machines = STATE / "machines"
    for directory in machines.glob("*"):
        disk.thaw(directory)
    cgroups.kill()
    cgroups.remove()
    for directory in machines.glob("*"):
        disk.discard(directory)
    unmount_below(machines)
    blocks.sweep()
    network.down()
    for directory in machines.glob("*"):
        for trace in NSPAWN.glob(f"*/{directory.name}"):  # of an nspawn that was killed
            shutil.rmtree(trace, ignore_errors=True)
    shutil.rmtree(machines, ignore_errors=True)


def held() -> str:
    """The machines and volumes that are on this host, in words; empty when there are none."""
    kinds = {
        "machine": STATE / "machines",
        "volume": HERE / "volumes",
        "snapshot": HERE / "snapshots",
    }
    counts = {
        kind: sum(".below-" not in one.name for one in place.glob("*-*"))
        for kind, place in kinds.items()
    }
    return ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in counts.items() if n)


def remains() -> bool:
    """There is something to sweep; needs no root."""
    return bool(held() or cgroups.processes() or network.is_there())
