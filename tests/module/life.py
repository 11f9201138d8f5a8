"""One deployment's random life, led with a real Terraform; what must hold after each step is in
tests/module/promises.py."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.module import promises
from tests.module.perils import PerilousAws, Perils
from tests.module.promises import NAME, BrokenError
from tests.module.sequences import TYPES
from tests.unit.conftest import PASSWORD
from tests.unit.ending import Killed
from wrapper import deployment
from wrapper.aws import Request
from wrapper.deployment import Wish, kept
from wrapper.deployment.wanted import Wanted
from wrapper.errors import CloudsError, UsageError
from wrapper.home import Home, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account
    from tests.module.sequences import Step
    from tests.module.workroom import Clock, WorkRoom
    from wrapper.deployment.world import World
    from wrapper.local.api.control import Control

OF_THE_LIVING = ("keep down", "rehearse", "start", "stop")
"""Commands for a deployment that is there."""
SOON = 60.0
"""Seconds within which EC2 does what it does by itself."""


@dataclass
class Life:
    """The deployment, the market around it, and what is foreseen of both."""

    world: World
    account: Account
    room: WorkRoom
    clock: Clock
    perils: Perils
    log: list[str] = field(default_factory=list)
    spot: bool = False
    type: str = TYPES[0]
    withheld: str = ""
    words: int = 0

    @property
    def control(self) -> Control:
        return self.account.control

    @cached_property
    def aws(self) -> PerilousAws:
        """The adapter, out of danger."""
        return PerilousAws(Perils(), environment=self.world.environment, region="us-east-1")

    @property
    def home(self) -> Home:
        return Home(root(self.world.environment) / NAME)

    def lead(self, step: Step) -> None:
        """It happened, and everything that must hold holds. BrokenError."""
        began = time.monotonic()
        self.log.append(f"{step}")
        name = step.kind.replace(" ", "_").replace("-", "_")
        act: Callable[[Step], str] = getattr(self, f"_{name}")
        done = act(step)
        self.log[-1] += f"  -> {done}, {time.monotonic() - began:.0f} s"
        promises.hold(self)

    # What is no command.

    def _edit(self, step: Step) -> str:
        self.words += 1
        with self.control._lock:
            mounted = sorted(self.room.disks.mounted)
            for volume_id in mounted:
                synced = step.said == "synced"
                self.room.disks.write(volume_id, f"w{self.words}", synced=synced)
        return f"w{self.words} on {mounted}"

    def _capacity_gone(self, step: Step) -> str:
        zone = self._zone() if step.said == "zone" else None
        self.withheld = step.said
        self.control.capacity("none", zone=zone, market="spot")
        return f"in {zone or 'all zones'}"

    def _capacity_back(self, _: Step) -> str:
        self.withheld = ""
        self.control.capacity("back")
        return "done"

    def _notice(self, step: Step) -> str:
        return self._interrupt(step, after=120.0)

    def _pull(self, step: Step) -> str:
        return self._interrupt(step, after=0.0, notice=False)

    def _two_minutes(self, _: Step) -> str:
        self.clock.skip(121)
        self.control.tick()
        return self._settled()

    def _lost(self, _: Step) -> str:
        if running := self.room.running():
            self.account.client().terminate_instances(InstanceIds=running)
        return self._settled()

    def _one_time(self, _: Step) -> str:
        if self.home.record() is None or not (variables := self.home.variables()):
            return "nothing to say it in"
        self.home.write_variables({**variables, "on_interruption": "terminate"})
        return "said"

    def _interrupt(self, step: Step, **how: Any) -> str:
        if step.said:
            self._capacity_gone(step)
        spots = [one for one in self.room.running() if self.room.specs[one].lifecycle == "spot"]
        for one in spots:
            if self.room.state(one) == "running":
                self.control.interrupt(one, **how)
        return self._settled()

    def _settled(self) -> str:
        """No machine is on its way anywhere."""
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            self.control.tick()
            states = {one: self.room.state(one) for one in self.room.specs}
            if not {"pending", "stopping", "shutting-down"} & {*states.values()}:
                return ", ".join(one for one in states.values() if one != "terminated")
            time.sleep(0.05)
        raise BrokenError(f"machines do not settle: {states}")

    def _zone(self) -> str | None:
        """Where it stands, or its data waits."""
        if there := [one.zone for one in self.aws.find_instances(NAME) if one.state == "running"]:
            return there[0]
        if volume := kept.newest_volume(self.aws.find_volumes(NAME)):
            return volume.zone
        record = self.home.record()
        found = record.outputs.get("availability_zone") if record else None
        return str(found) if found else None

    # Commands.

    def _up(self, step: Step) -> str:
        if step.said:
            self.spot = step.said == "spot"
        return self._told_up(step)

    def _switch(self, step: Step) -> str:
        self.spot = step.said == "spot"
        return self._told_up(step)

    def _replace(self, step: Step) -> str:
        return self._told_up(step, replace=True)

    def _resize(self, step: Step) -> str:
        self.type = step.said
        return self._told_up(step)

    def _move(self, step: Step) -> str:
        # Each zone that is tried in vain takes a quarter of a minute, and a subnet is in one.
        record = self.home.record()
        pinned = record and not record.ended and record.settings.get("subnet_id")
        here = pinned or self.withheld == "anywhere"
        return self._told_up(step, fallback=("on-demand",) if here else ("zone", "on-demand"))

    def _subnet(self, step: Step) -> str:
        subnets = self.aws.check_request(Request(TYPES[0], spot=self.spot)).subnets
        now = self._zone()
        there = next(subnets[zone] for zone in sorted(subnets) if zone != now)
        return self._told_up(step, fallback=("on-demand",), subnet_id=there)

    def _told_up(
        self,
        step: Step,
        *,
        replace: bool = False,
        fallback: tuple[str, ...] | None = None,
        subnet_id: str | None = None,
    ) -> str:
        asked = Settings(
            data_volume_size=1,
            fallback=fallback,
            instance_type=self.type,
            spot=self.spot,
            subnet_id=subnet_id,
        )
        watch = bool(fallback) or not self.withheld
        wanted = Wanted(
            name=NAME,
            settings=asked,
            new_password=lambda: PASSWORD,
            replace=replace,
            watch=watch,
        )
        sure = watch or not self.spot
        return self._tell(step, lambda: deployment.up(self.world, wanted), sure=sure, up=True)

    def _start(self, step: Step) -> str:
        return self._tell(step, lambda: deployment.start(self.world, NAME), up=True)

    def _stop(self, step: Step) -> str:
        return self._tell(step, lambda: deployment.stop(self.world, NAME))

    def _keep_down(self, step: Step) -> str:
        return self._tell(step, lambda: deployment.stop(self.world, NAME, keep_down=True))

    def _snapshot(self, step: Step) -> str:
        return self._tell(step, lambda: deployment.snapshot(self.world, NAME))

    def _rehearse(self, step: Step) -> str:
        return self._tell(step, lambda: deployment.interrupt(self.world, NAME))

    def _down(self, step: Step) -> str:
        wish: Any = step.said or "snapshot"
        if wish == "delete":
            self.room.disks.saved = None
        before = {one.snapshot_id for one in self.aws.find_snapshots(NAME)}
        before |= {one.volume_id for one in self.aws.find_volumes(NAME) if not one.deployment}
        done = self._tell(
            step, lambda: deployment.down(self.world, NAME, wish=Wish(wish)), sure=True
        )
        if done == "done":
            promises.all_is_gone(self, wish, before)
        return done

    def _tell(
        self, step: Step, story: Callable[[], Any], *, sure: bool = False, up: bool = False
    ) -> str:
        """The command was told, and came to a good end wherever that is sure."""
        record = self.home.record()
        absent = record is None or record.ended
        noticed = self.control.describe()["interruptions"]
        self.perils.begin(step.peril)
        try:
            with self._hurried():
                told = story()
        except (Killed, KeyboardInterrupt) as error:
            return f"{type(error).__name__} {error}"
        except CloudsError as error:
            if sure and not self.perils.struck:
                raise BrokenError(f"refused: {error.message}") from error
            if absent and step.kind in OF_THE_LIVING:
                promises.expect(isinstance(error, UsageError), f"{error!r} for what there is not")
            return f"{type(error).__name__}: {error.message.splitlines()[0]}"
        finally:
            self.perils.begin(None)
        promises.expect(
            not absent or step.kind not in OF_THE_LIVING, "it was done to what there is not"
        )
        if up and (self.room.running() or not noticed):  # else EC2 took it in the last moment
            promises.works(self, told.summary)
        return "done"

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """The two minutes of a notice are a quarter of one, and may end within the command."""
        over = threading.Event()

        def hurry() -> None:
            while not over.wait(0.1):
                if self.control.describe()["interruptions"]:
                    self.clock.skip(0.7)

        thread = threading.Thread(target=hurry, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
