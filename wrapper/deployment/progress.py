"""How far `up` is: Terraform's steps first, then the machine's phases."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wrapper.deployment.events import BootPhase, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.events import Event
    from wrapper.terraform import Applying, Change

PHASES = ("address", "certificate", "conda", "server", "notebook")
"""Those that a bar waits for; others are told, and count for nothing."""
_VERBS = {"create": "makes", "update": "changes", "delete": "removes", "replace": "replaces"}


class Meter:
    """Counts, from several threads, and reports each step with how far all is."""

    def __init__(self, report: Callable[[Event], None]) -> None:
        self._report = report
        self._total = len(PHASES)
        self._done: set[str] = set()
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    def expect(self, change: Change) -> None:
        """Terraform will make that change."""
        self._total += 2 if change.action == "replace" else 1

    def terraform(self, event: Applying) -> None:
        """A step of Terraform's began or ended."""
        key, words = f"{event.action} {event.address}", _VERBS.get(event.action, "works on")
        if event.state == "started":
            self._running[key] = f"Terraform {words} {event.address}"
            self._step(None, self._running[key])
        elif event.state in ("done", "failed"):
            self._running.pop(key, None)
            ended = key if event.state == "done" else None
            how = f"in {event.seconds:.0f} s" if ended else "failed"
            self._step(ended, f"Terraform: {event.address} {how}")
            for other in [*self._running.values()][:1]:
                self._step(None, other)  # a bar tells what is still going on

    def event(self, event: Event) -> None:
        """Any other event; a phase of the boot counts."""
        self._report(event)
        if isinstance(event, BootPhase):
            if event.state == "done" and event.seconds is not None:
                self.seconds[event.name] = event.seconds
            ended = event.name if event.state == "done" and event.name in PHASES else None
            if ended or event.state == "running":
                self._step(ended, f"machine: {event.name}")

    def mark(self, name: str) -> None:
        """So many seconds since the beginning, under that name."""
        self.seconds[name] = round(time.monotonic() - self._started, 1)

    def _step(self, ended: str | None, text: str) -> None:
        with self._lock:
            if ended:
                self._done.add(ended)
            done = min(len(self._done), self._total)
            self._report(Progress(done, self._total, text, ended=ended is not None))
