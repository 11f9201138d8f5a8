"""The only caller of systemd-nspawn: one boot of one machine, from power-on to power-off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from . import cgroups
from .host import log
from .network import namespace

if TYPE_CHECKING:
    from .console import Console
    from .machines import MachineSpec

NSPAWN = Path("/run/systemd/nspawn")
_FUSE = "/dev/fuse"
"""As the kernels of EC2's images have it: a bucket is mounted by it."""
_REBOOT = 133
"""What nspawn exits with, under --keep-unit, when the machine wants to boot again."""
_RTMIN = signal.SIGRTMIN


class Container:
    """One boot. Made running; `wait` returns when it is off."""

    def __init__(self, spec: MachineSpec, directory: Path, console: Console) -> None:
        self.spec = spec
        groups = cgroups.create(spec.instance_id, spec.memory_mib)
        joining = "".join(f'echo $$ > "{procs}"; ' for procs in groups)
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["sh", "-c", f'{joining}exec "$@"', "sh", *self._command(directory)],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,  # a Ctrl-C meant for the daemon is not one for machines
            env={
                "PATH": os.environ["PATH"],
                # A guest on version 2 groups: systemd 257 (Debian 13) refuses version 1, and all
                # else works on both. https://systemd.io/BUILDING_IMAGES/ is silent on it; see
                # "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY" in https://systemd.io/ENVIRONMENT/
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            },
        )
        os.close(writing)
        self._pump = console.follow(reading)

    def _command(self, directory: Path) -> list[str]:
        spec = self.spec
        machine_id = uuid.uuid5(uuid.NAMESPACE_OID, spec.instance_id).hex
        return [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--console=read-only",
            "--link-journal=no",
            "--timezone=off",
            "--resolv-conf=off",
            *(f"--bind={one}" for one in (_FUSE,) if Path(one).exists()),
            "--capability=CAP_NET_ADMIN",  # nft works inside: ports redirected, metadata rejected
            f"--machine={spec.instance_id}",
            f"--hostname=ip-{spec.private_ip.replace('.', '-')}",
            f"--uuid={machine_id}",
            f"--directory={directory}/root",
            f"--network-namespace-path=/run/netns/{namespace(spec.instance_id)}",
            f"--bind-ro={directory}/hardware:/run/instance",
        ]

    @property
    def leader(self) -> int | None:
        """The host's number of the machine's PID 1, as soon as there is one."""
        pid = self._process.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123 - procfs
                return int(children.read().split()[0])
        except (OSError, IndexError):
            return None

    def signal(self, number: int) -> None:
        """The machine's PID 1 has the signal; nothing happens when it is not there any more."""
        leader = self.leader
        if leader is not None:
            try:
                os.kill(leader, number)
            except ProcessLookupError:
                log.debug("%s: gone before signal %d", self.spec.instance_id, number)

    def power_off(self) -> None:
        """The machine has begun a clean shutdown (systemd: SIGRTMIN+4)."""
        self.signal(_RTMIN + 4)

    def restart(self) -> None:
        """The machine has begun a clean reboot (systemd: SIGRTMIN+5)."""
        self.signal(_RTMIN + 5)

    def kill(self) -> None:
        """As if the plug were pulled."""
        self._process.kill()
        cgroups.kill(self.spec.instance_id)

    def wait(self) -> bool:
        """The machine is off, every process of it gone; whether it wants to boot again."""
        code = self._process.wait()
        # An nspawn that was killed leaves the machine's PID 1 behind.
        cgroups.kill(self.spec.instance_id)
        self._pump.join(timeout=5)
        cgroups.remove(self.spec.instance_id)
        for trace in NSPAWN.glob(f"*/{self.spec.instance_id}"):
            shutil.rmtree(trace, ignore_errors=True)
        log.info("%s: systemd-nspawn ended with %d", self.spec.instance_id, code)
        return code == _REBOOT
