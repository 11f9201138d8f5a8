"""What is told on the desktop too, to whoever looks elsewhere while a command watches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.events import Event
    from wrapper.deployment.live import Live

_GONE = ("stopping", "stopped", "shutting-down", "terminated")


def also_on_the_desktop(report: Callable[[Event], None]) -> Callable[[Event], None]:
    """Reports as before; what is news is a message on the desktop as well."""
    from wrapper.deployment.events import News  # noqa: PLC0415 (after --help)

    def both(event: Event) -> None:
        report(event)
        if isinstance(event, News):
            tell(event.text)

    return both


def tell(text: str) -> None:
    """The desktop shows it, if it can."""
    from wrapper import desktop  # noqa: PLC0415 (after --help)

    desktop.tell(text, os.environ)


class Differences:
    """What is news from one look of `status --watch` to the next."""

    def __init__(self) -> None:
        self._before: Live | None = None
        self._running: set[str] = set()

    def between(self, seen: Live, notice: str) -> list[str]:
        """In words, each once: a notice, a run's end, the machine's, and its return after that."""
        before, self._before = self._before, seen
        ended = self._ended(seen)
        if before is None:
            return []
        found = []
        if notice and seen.notice != before.notice:
            found.append(f"{seen.name}: {notice}")
        found += [f"{seen.name}: {one} has ended." for one in ended]
        if seen.state in _GONE and before.state not in _GONE:
            found.append(f"{seen.name} is {seen.state}.")
        if seen.answers and before.state in _GONE:
            found.append(f"{seen.name} answers again.")
        return found

    def _ended(self, seen: Live) -> list[str]:
        """Runs that went on when last was known, as the machine names what keeps it from stopping.

        Nothing, as long as it does not answer, or its watch does not.
        """
        if not seen.answers or seen.autostop is None:
            return []
        before = self._running
        self._running = {one for one in seen.autostop.busy if one.startswith("run ")}
        return sorted(before - self._running)
