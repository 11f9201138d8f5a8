"""One machine: its disk, its boots, its state, from launch to termination."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wrapper.errors import LocalError

from . import cgroups, disk, guest, image, memory, network
from .console import Console
from .container import Container
from .host import STATE, log, need_space, unmount_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .blocks import Blocks
    from .machines import IngressRule, MachineSpec, Notice, Role, State

_PATIENCE = 120.0
"""Seconds that a clean shutdown may take before the plug is pulled, as EC2 does too."""
_ROOM_MIB = 2000
_GLANCE = 0.1


def need_room() -> None:
    """This computer's disk has room for one more; LocalError otherwise."""
    need_space(STATE, _ROOM_MIB)


class Machine:
    """Safe to use from many threads; a thread of its own follows each run of the machine."""

    def __init__(self, spec: MachineSpec, blocks: Blocks) -> None:
        self.spec = spec
        self.block_devices: list[str] = []
        self.public_ip: str | None = spec.public_ip
        self.notice: Notice | None = None
        self.role: Role | None = None
        self.launched = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.directory = STATE / "machines" / spec.instance_id
        self.console = Console(self.directory / "console")
        self.state: State = "pending"
        self.failure = ""
        """Why it could not be made, or not be started the last time."""
        self._attached = False
        self._ingress: Sequence[IngressRule] = spec.ingress
        self._blocks = blocks
        self._container: Container | None = None
        self._goal: State = "running"
        self._lock = threading.RLock()
        self._copying = threading.Lock()
        self._asleep = False
        self._run(first=True)

    def _run(self, *, first: bool = False) -> None:
        self._life = threading.Thread(target=self._live, args=(first,), daemon=True)
        self._life.start()

    def _live(self, first: bool) -> None:
        booted, self.failure = False, ""
        try:
            if first:
                self._prepare()
            else:
                with self._copying:
                    disk.mount(self.directory, image.root(self.spec.image), fresh=False)
            booted = True
            while self._boot():
                log.info("%s: reboots", self.spec.instance_id)
        except LocalError as error:
            log.exception("%s: cannot run", self.spec.instance_id)
            self.console.say(error.message)
            self.failure = error.message
        finally:
            # A launch that fails ends terminated, as on AWS; a start that fails, stopped.
            if not booted and self._goal == "running":
                self._goal = "terminated" if first else "stopped"
            self._settle()

    def _prepare(self) -> None:
        spec = self.spec
        root = image.ensure(spec.image)
        below = self._blocks.layers(spec.root_snapshot) if spec.root_snapshot else ()
        guest.personalise(disk.make(self.directory, spec.root_gib, below))
        disk.mount(self.directory, root, fresh=True)
        with self._lock:
            network.attach(spec, self._ingress)
            self._attached = True
            wanted, self.public_ip = self.public_ip, None
            self.set_public_address(wanted)

    def _boot(self) -> bool:
        """One boot from beginning to end; whether another has to follow."""
        with self._copying, self._lock:
            if self._goal != "running":
                return False
            meminfo = self.directory / "hardware/meminfo"
            memory.write(self.spec, meminfo)
            self.block_devices = self._blocks.devices(self.spec.instance_id)
            self._container = Container(self.spec, self.directory, self.console)
            self.state = "running"
            self._blocks.powered_on(self.spec.instance_id)
        again = self._container.wait()
        self._blocks.powered_off(self.spec.instance_id)
        with self._lock:
            self._container = None
            return again and self._goal == "running"

    def _settle(self) -> None:
        """The machine is off: stopped, or gone with all it had."""
        if self._goal == "terminated":
            disk.discard(self.directory)
        unmount_below(self.directory)
        with self._lock:
            if self._goal != "terminated":
                self.state = "stopped"
                return
            self.state = "shutting-down"
        self._remove()
        self.state = "terminated"

    def _remove(self) -> None:
        spec = self.spec
        cgroups.kill(spec.instance_id)
        cgroups.remove(spec.instance_id)
        with self._lock:
            if self._attached:
                network.detach(spec, self.public_ip)
            self._attached, self.public_ip = False, None
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The host's number of its PID 1, while it runs."""
        container = self._container
        return container.leader if container else None

    def tick(self) -> None:
        """What it sees of its memory is up to date."""
        if self.state == "running" and self._container:
            memory.write(self.spec, self.directory / "hardware/meminfo")

    def start(self) -> None:
        """It boots from its disk; nothing happens unless it is stopped."""
        with self._lock:
            if self.state != "stopped":
                return
            if self._asleep:
                self._wake()
                return
            self.state, self._goal = "pending", "running"
            self._run()

    def stop(self, *, force: bool = False) -> None:
        """It has begun to shut down; forced, it is off at once."""
        self._end("stopped", "stopping", force=force)

    def hibernate(self) -> None:
        """It stands still, memory and all, until it is started; or stops, where this host cannot.

        What it has of the network and of its volumes it keeps meanwhile.
        """
        with self._lock:
            able = self.state == "running" and self._goal == "running" and self._container
            if able and cgroups.freeze(self.spec.instance_id, still=True):
                self.state, self._asleep = "stopped", True
                return
        self.stop()

    def _wake(self) -> None:
        self.state, self._asleep = "running", False
        cgroups.freeze(self.spec.instance_id, still=False)

    def terminate(self, *, at_once: bool = False) -> None:
        """It has begun to go, disk and all."""
        with self._lock:
            if self.state == "terminated":
                return
            if self._asleep:
                self._wake()
                at_once = True
            if self.state == "stopped":
                self.state, self._goal = "shutting-down", "terminated"
                threading.Thread(target=self._settle, daemon=True).start()
                return
        # Its disk goes with it: there is nothing that a clean shutdown could save, but on volumes.
        force = at_once or not self._blocks.devices(self.spec.instance_id)
        self._end("terminated", "shutting-down", force=force)

    def _end(self, goal: State, state: State, *, force: bool) -> None:
        with self._lock:
            if self.state in {"stopped", "terminated"}:
                return
            if self._goal != "terminated":
                self._goal, self.state = goal, state
            container = self._container
        if container is None:
            return  # not booted yet: `_boot` sees the goal
        if force:
            self._pull(container)
            return
        container.power_off()
        self._later(lambda: self._pull(container), container)

    def _pull(self, container: Container) -> None:
        """As if its plug were pulled."""
        self._blocks.pull(self.spec.instance_id)
        container.kill()

    def _later(self, action: Any, container: Container) -> None:
        def act() -> None:
            if self._container is container:
                log.warning("%s: no clean shutdown in time", self.spec.instance_id)
                action()

        timer = threading.Timer(_PATIENCE, act)
        timer.daemon = True
        timer.start()

    def reboot(self) -> None:
        """It has begun to reboot; "running" all the while."""
        container = self._container
        if self.state == "running" and container:
            container.restart()

    def create_root_snapshot(self, snapshot_id: str, *, reboot: bool) -> None:
        """See machines.Machines."""
        if self.state == "running" and not disk.is_own(self.directory):
            raise LocalError(
                "without loop devices, no root disk can be copied", hint="ls /dev/loop-control"
            )
        still = self._still(reboot=reboot and self.state == "running")
        volume = self.directory / "volume"
        self._blocks.create_root_snapshot(snapshot_id, volume, self.spec.root_gib, still)

    @contextmanager
    def _still(self, *, reboot: bool) -> Iterator[None]:
        """Nothing is written to the root disk, and it does not boot."""
        with self._copying:
            container = self._container
            if reboot and container:
                container.restart()
                while self._container is container:
                    time.sleep(_GLANCE)
            with disk.frozen(self.directory):
                yield

    def wait(self, seconds: float) -> bool:
        """Whether it is off within that time."""
        self._life.join(seconds)
        return not self._life.is_alive()

    def set_public_address(self, address: str | None) -> None:
        """It is reached at this address from now on, and at no other."""
        with self._lock:
            if self._attached:
                network.set_public_address(self.spec.private_ip, self.public_ip, address)
            self.public_ip = address

    def set_ingress(self, rules: Sequence[IngressRule]) -> None:
        """Exactly these rules let traffic in."""
        with self._lock:
            self._ingress = rules  # of a machine that is still being made: its first
            if self._attached:
                network.set_ingress(self.spec.instance_id, rules)
