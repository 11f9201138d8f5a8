"""A wrapper that is killed, or hears Ctrl-C, in the middle of a command.

Killed, it does nothing any more, its clean-up included; a Terraform that it had started goes on to
its end. Interrupted, it does what it does then, and so does its Terraform.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.loaders import create_loader

from tests.unit.conftest import QUICK
from tests.unit.ending import Killed
from wrapper.aws import Aws
from wrapper.terraform import Terraform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.module.sequences import Peril
    from tests.provider import Provider
    from wrapper.terraform import Applying

PATIENCE = 400.0
"""Seconds; no command takes that long here."""
_LOADER = create_loader()
"""Reading what EC2 can do takes half a second: once is enough."""
_LOOKS = ("Describe", "Get", "List", "Head")


class EndlessError(Exception):
    """A command that does not end."""


@dataclass
class Perils:
    """What threatens the command that is being told; it counts what changes anything outside."""

    peril: Peril | None = None
    count: int = 0
    places: list[str] = field(default_factory=list)
    struck: bool = False
    dead: bool = False
    interrupt_terraform: threading.Event | None = None
    _thread: int = 0
    _deadline: float = 0.0

    def begin(self, peril: Peril | None) -> None:
        """The next command of this thread is told under it."""
        self.peril, self.count, self.struck, self.dead = peril, 0, False, False
        self.places.clear()
        self.interrupt_terraform = None
        self._thread = threading.get_ident()
        self._deadline = time.monotonic() + PATIENCE

    def place(self, name: str) -> None:
        """Something is about to be changed, or was: the wrapper may end here."""
        if threading.get_ident() != self._thread:
            return
        if self.dead:
            raise Killed(name)
        if not self._reached(name):
            return
        self.struck = True
        if self.peril and self.peril.how == "ctrl-c":
            raise KeyboardInterrupt(name)
        self.dead = True
        raise Killed(name)

    def passed(self) -> None:
        """Something was looked up: for ever is too long."""
        if threading.get_ident() == self._thread and time.monotonic() > self._deadline:
            raise EndlessError

    def in_terraform(self, name: str) -> None:
        """Terraform has done something: Ctrl-C reaches it too."""
        if self.peril and self.peril.how == "ctrl-c" and self._reached(name):
            self.struck = True
            if self.interrupt_terraform:
                self.interrupt_terraform.set()

    def _reached(self, name: str) -> bool:
        self.places.append(name)
        self.count += 1
        return bool(self.peril) and not self.struck and self.peril.at in (self.count, name)  # type: ignore[union-attr] # asked


class PerilousAws(Aws):
    """The EC2 adapter of a wrapper in peril."""

    def __init__(self, perils: Perils, **more: Any) -> None:
        super().__init__(pace=QUICK, **more)

        def before(**call: Any) -> None:
            perils.passed()
            if not call["model"].name.startswith(_LOOKS):
                perils.place(f"before {call['model'].name}")

        def after(**call: Any) -> None:
            if not call["model"].name.startswith(_LOOKS):
                perils.place(f"after {call['model'].name}")

        session = self._account._sdk.session
        session.register_component("data_loader", _LOADER)
        session.register("before-call", before)
        session.register("after-call", after)


class PerilousTerraform(Terraform):
    """Terraform of a wrapper in peril."""

    def __init__(
        self, perils: Perils, provider: Provider, path: Path, *, environment: Any, **more: Any
    ) -> None:
        more["cancelled"] = more.get("cancelled") or threading.Event()
        # Half of its time is spent on garbage; memory is not what is short.
        quick = {**environment, **provider.environment, "GOGC": "400", "CHECKPOINT_DISABLE": "1"}
        super().__init__(path, environment=quick, **more)
        self._perils = perils
        self._interrupt = more["cancelled"]

    def _under(self, verb: str, run: Callable[[], Any]) -> Any:
        self._perils.place(f"before terraform {verb}")
        self._perils.interrupt_terraform = self._interrupt
        try:
            done = run()
        finally:
            self._perils.interrupt_terraform = None
        self._perils.place(f"after terraform {verb}")
        return done

    def _told_of(self, on_event: Callable[[Applying], None]) -> Callable[[Applying], None]:
        def tell(event: Applying) -> None:
            on_event(event)
            if event.state == "done":
                self._perils.in_terraform(f"{event.action} {event.address}")

        return tell

    def apply(self, on_event: Callable[[Applying], None]) -> None:
        whole = super().apply
        self._under("apply", lambda: whole(self._told_of(on_event)))

    def plan_and_apply(self, on_event: Callable[[Applying], None], **more: Any) -> tuple[str, ...]:
        whole = super().plan_and_apply
        done: tuple[str, ...] = self._under("apply", lambda: whole(self._told_of(on_event), **more))
        return done

    def destroy(self, on_event: Callable[[Applying], None]) -> None:
        whole = super().destroy
        self._under("destroy", lambda: whole(self._told_of(on_event)))

    def forget(self, *addresses: str) -> None:
        whole = super().forget
        self._under("state rm", lambda: whole(*addresses))
