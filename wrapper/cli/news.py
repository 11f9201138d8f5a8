"""What is told on the desktop too, to whoever looks elsewhere while a command watches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wrapper.deployment.events import News

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.events import Event
    from wrapper.deployment.live import Live

_GONE = ("stopping", "stopped", "shutting-down", "terminated")


def also_on_the_desktop(report: Callable[[Event], None]) -> Callable[[Event], None]:
    """Reports as before; what is news is a message on the desktop as well."""

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

    def between(self, seen: Live, notice: str) -> list[str]:
        """In words, each once: a notice, the machine's end, and that it answers again after one."""
        before, self._before = self._before, seen
        if before is None:
            return []
        found = []
        if notice and seen.notice != before.notice:
            found.append(f"{seen.name}: {notice}")
        if seen.state in _GONE and before.state not in _GONE:
            found.append(f"{seen.name} is {seen.state}.")
        if seen.answers and before.state in _GONE:
            found.append(f"{seen.name} answers again.")
        return found
