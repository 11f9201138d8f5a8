"""Clean-up by name: whatever an embedded EC2 left on this host, killed or not, is gone after it."""

from __future__ import annotations

import shutil

from . import cgroups, disk, network
from .container import NSPAWN
from .host import STATE, unmount_below


def sweep() -> None:
    """No machine's process, control group, mount, namespace, link, route or rule is left.

    Only while no daemon runs. The cache and the log stay.
    """
    cgroups.kill()
    cgroups.remove()
    machines = STATE / "machines"
    for directory in machines.glob("*"):
        disk.discard(directory)
    unmount_below(machines)
    network.down()
    for directory in machines.glob("*"):
        for trace in NSPAWN.glob(f"*/{directory.name}"):  # of an nspawn that was killed
            shutil.rmtree(trace, ignore_errors=True)
    shutil.rmtree(machines, ignore_errors=True)
