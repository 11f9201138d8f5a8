"""A machine watched from the moment it exists: its console, through the EC2 API."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper import console
from wrapper.deployment.events import BootPhase
from wrapper.errors import BootError, CloudsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from wrapper.aws import Aws
    from wrapper.console import Boot, Phase
    from wrapper.deployment.events import Event

EVERY = 2.0
"""Seconds between looks."""
HARMLESS = frozenset({"environment", "letsencrypt", "repository", "s3", "services"})
"""Phases that may fail and leave a notebook that answers."""
SETTLED = 30.0
"""Seconds after which a failed phase counts as failed: systemd may be trying again."""
SILENT_FOR = 15 * 60.0
"""Seconds without any news on the console until the machine counts as stuck."""
_ENDED = ("shutting-down", "terminated", "stopping", "stopped")


class Watch:
    """One deployment's newest machine, looked at again and again."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        report: Callable[[Event], None],
        *,
        ignore: Collection[str] = (),
    ) -> None:
        """`ignore`: machines of before, that are about to be replaced."""
        self.instance_id: str | None = None
        self.boot: Boot | None = None
        self.first_seen: float | None = None
        self._aws = aws
        self._name = name
        self._report = report
        self._ignore = frozenset(ignore)
        self._changed = time.monotonic()
        self._of_before: Boot | None = None

    @property
    def quiet(self) -> float:
        """Seconds since the last news."""
        return time.monotonic() - self._changed

    def follow(self, instance_id: str) -> None:
        """From now on that machine is meant."""
        if instance_id != self.instance_id:
            self.instance_id, self.boot = instance_id, None
            self.first_seen = self._changed = time.monotonic()

    def forgive(self) -> None:
        """What the console says of the boot until now is no reason to give up: it starts again."""
        self._of_before = self.boot
        self._changed = time.monotonic()

    @property
    def failures(self) -> tuple[Phase, ...]:
        """Phases that failed in the newest boot and that the notebook cannot do without."""
        if self.boot is None or self.boot == self._of_before:
            return ()
        return tuple(one for one in self.boot.failures if one.name not in HARMLESS)

    def look(self) -> None:
        """The newest news are known, and were reported. AwsError."""
        if self.instance_id is None:
            self._find()
        if self.instance_id is None:
            return
        boot = console.parse(self._aws.console(self.instance_id))
        if boot == self.boot:
            return
        before = self.boot
        self.boot = boot
        known = {_news_of(phase) for phase in before.phases} if before else set()
        news = [phase for phase in boot.phases if _news_of(phase) not in known]
        for phase in news:
            self._report(BootPhase(phase.name, phase.state, phase.seconds))
        signs = before and (before.fingerprint, before.ready_port)
        if news or signs != (boot.fingerprint, boot.ready_port):
            self._changed = time.monotonic()

    def check_alive(self) -> None:
        """The boot can still succeed. BootError when a phase failed for good or all is silent."""
        quiet = self.quiet
        failed = self.failures
        if failed and quiet > SETTLED:
            log = "".join(f"\n  | {line}" for line in failed[0].log)
            raise BootError(
                f"The machine's set-up failed in its phase {failed[0].name}{log}",
                hint="The whole console: python -m wrapper status --console. "
                "End it: python -m wrapper down",
            )
        if quiet > SILENT_FOR:
            raise BootError(
                f"The machine {self.instance_id} has been silent for {quiet / 60:.0f} minutes.",
                hint="Look again: python -m wrapper status. End it: python -m wrapper down",
            )
        if quiet > SETTLED and self.instance_id:
            self._check_running(self.instance_id)

    @contextmanager
    def in_background(self, *others: Callable[[], None]) -> Iterator[None]:
        """Looked at by a thread, and what else there is to look at, while Terraform still works."""
        stop = threading.Event()

        def go_on() -> None:
            while not stop.wait(EVERY):
                for look in (self.look, *others):
                    try:
                        look()
                    except CloudsError:
                        continue  # whoever waits for the result will see it

        thread = threading.Thread(target=go_on, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _find(self) -> None:
        found = [
            one
            for one in self._aws.find_instances(self._name)
            if one.instance_id not in self._ignore and one.state in ("pending", "running")
        ]
        if found:
            self.follow(max(found, key=lambda one: one.launched_at).instance_id)

    def _check_running(self, instance_id: str) -> None:
        found = self._aws.instance(instance_id)
        if found is None or found.state in _ENDED:
            state = found.state if found else "gone"
            why = f": {found.state_reason}" if found and found.state_reason else ""
            raise BootError(
                f"The machine {instance_id} is {state}{why}.",
                hint="Try again: python -m wrapper up. End it: python -m wrapper down",
            )


def _news_of(phase: Phase) -> tuple[str, ...]:
    """The same as long as a phase fails in vain, again and again, for the same reason.

    Otherwise a service that systemd restarts every few seconds would be news for ever.
    """
    return (phase.name, "failed" if phase.log else phase.state, *phase.log)
