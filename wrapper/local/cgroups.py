"""Control groups: a group of its own for each machine, its memory limited, its processes known.

Works on both generations. A host may mix them (version 1 controllers beside a version 2 tree);
a machine then has a group in each hierarchy that matters: processes are tracked by systemd-nspawn
in `name=systemd` and in the version 2 tree, memory is limited where the controller is.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from .host import PREFIX, log

_MIB = 2**20


@dataclass(frozen=True)
class _Hierarchy:
    root: Path
    version: int
    memory: bool

    @property
    def ours(self) -> Path:
        return self.root / PREFIX


def _hierarchies() -> list[_Hierarchy]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        root = Path(fields.split()[4])
        if kind == "cgroup2":
            controllers = (root / "cgroup.controllers").read_text().split()
            found.append(_Hierarchy(root, 2, "memory" in controllers))
        elif kind == "cgroup" and "memory" in options.split(","):
            found.append(_Hierarchy(root, 1, memory=True))
        elif kind == "cgroup" and "name=systemd" in options:
            found.append(_Hierarchy(root, 1, memory=False))
    return found


def create(name: str, memory_mib: int) -> list[Path]:
    """The machine's groups are there, at most `memory_mib` between them; their procs files."""
    files = []
    limited = False
    for hierarchy in _hierarchies():
        group = hierarchy.ours / name
        try:
            group.mkdir(parents=True, exist_ok=True)
            files.append(group / "cgroup.procs")
            if hierarchy.memory:
                _limit(hierarchy, group, memory_mib)
                limited = True
        except OSError as error:
            log.warning("%s: no control group in %s: %s", name, hierarchy.root, error)
    if not limited:
        log.warning("%s: memory is not limited, the host lacks the memory controller", name)
    return files


def _limit(hierarchy: _Hierarchy, group: Path, memory_mib: int) -> None:
    if hierarchy.version == 1:
        (group / "memory.limit_in_bytes").write_text(str(memory_mib * _MIB))
        return
    for parent in (hierarchy.root, hierarchy.ours):
        (parent / "cgroup.subtree_control").write_text("+memory")
    (group / "memory.max").write_text(str(memory_mib * _MIB))
    # Without this a machine would go on on the host's swap, which the instance does not have.
    if (group / "memory.swap.max").exists():
        (group / "memory.swap.max").write_text("0")


def memory_stat(name: str) -> dict[str, int]:
    """The group's memory.stat in bytes, with `used`; empty where memory is not accounted."""
    for hierarchy in _hierarchies():
        if not hierarchy.memory:
            continue
        group = hierarchy.ours / name
        usage = "memory.usage_in_bytes" if hierarchy.version == 1 else "memory.current"
        try:
            pairs = (line.split() for line in (group / "memory.stat").read_text().splitlines())
            stat = {key.removeprefix("total_"): int(value) for key, value in pairs}
            stat["used"] = int((group / usage).read_text())
        except OSError:
            return {}
        stat.setdefault("file", stat.get("cache", 0))
        return stat
    return {}


def _groups(top: Path) -> list[Path]:
    """The group and all below, the deepest first; those that go meanwhile are left out."""
    return [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]


def processes(name: str = "") -> set[int]:
    """Every process of the machine, or of all machines."""
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for group in _groups(hierarchy.ours / name):
            try:
                found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
            except OSError:
                continue  # the group went while we looked
    return found


def freeze(name: str, *, still: bool, timeout: float = 10) -> bool:
    """Whether all processes of the machine stand still where they are, or go on.

    Version 2 has it without any controller, and what stands still can be killed:
    https://docs.kernel.org/admin-guide/cgroup-v2.html#core-interface-files
    """
    end = time.monotonic() + timeout
    for group in (one.ours / name for one in _hierarchies() if one.version == 2):  # noqa: PLR2004 (of control groups)
        try:
            (group / "cgroup.freeze").write_text(str(int(still)))
            while f"frozen {still:d}" not in (group / "cgroup.events").read_text():
                if time.monotonic() > end:
                    (group / "cgroup.freeze").write_text("0")
                    return False
                time.sleep(0.02)
        except OSError as error:
            log.warning("%s: cannot stand still: %s", name, error)
            return False
        return True
    return False


def kill(name: str = "", *, timeout: float = 30) -> None:
    """No process of the machine (or of any machine) is left, however it was started."""
    end = time.monotonic() + timeout
    while left := processes(name):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > end:
            log.error("processes %s of %s survive SIGKILL", sorted(left), name or "all machines")
            return
        time.sleep(0.05)


def remove(name: str = "") -> None:
    """The machine's groups (or all of ours) are gone; call after `kill`."""
    for hierarchy in _hierarchies():
        for group in _groups(hierarchy.ours / name):
            try:
                group.rmdir()
            except OSError as error:
                log.debug("%s stays: %s", group, error)
