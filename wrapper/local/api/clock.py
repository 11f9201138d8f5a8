"""The time that the API goes by, which its owner may put forward: what takes hours can be tested.

Schedules, prices and interruptions follow it. The machines do not: their time is this computer's.
"""

from __future__ import annotations

import threading
import time


class Clock:
    """Seconds since 1970: this computer's, and what was skipped of them; never back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._speed = 1.0
        self._then = self._since = time.time()

    def __call__(self) -> float:
        with self._lock:
            return self._now()

    @property
    def speed(self) -> float:
        """Seconds of it in one of this computer's."""
        return self._speed

    @property
    def ahead(self) -> float:
        """Seconds."""
        return self() - time.time()

    def advance(self, seconds: float) -> None:
        """So much has passed at once."""
        with self._lock:
            self._then += seconds

    def hurry(self, speed: float) -> None:
        """From now on it runs so many times as fast."""
        with self._lock:
            self._then, self._since = self._now(), time.time()
            self._speed = speed

    def _now(self) -> float:
        return self._then + (time.time() - self._since) * self._speed
