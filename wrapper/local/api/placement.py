"""Spot placement scores: how likely a request is to be fulfilled, from 1 to 10.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-placement-score.html
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from moto.ec2.exceptions import EC2ClientError

from wrapper.local.api.capacity import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrapper.local.api.capacity import Capacity

A_DAY: Final = 86400
CONFIGURATIONS: Final = 10
"""Different questions that are answered within a day."""


class Placement:
    """Scores, and who has asked what today."""

    def __init__(self, capacity: Capacity, clock: Callable[[], float]) -> None:
        self._capacity, self._clock = capacity, clock
        self._asked: dict[tuple[object, ...], float] = {}

    def zones(self, region: str, types: Sequence[str], target: int) -> list[tuple[str, int]]:
        """Zone and score, where any of the types is offered."""
        zones = sorted({zone for one in types for zone in offered(region, one)})
        return [(zone, self._score(zone, types, target)) for zone in zones]

    def admit(self, *question: object) -> None:
        """EC2ClientError when too many different ones were asked today."""
        now = self._clock()
        self._asked = {one: at for one, at in self._asked.items() if now - at < A_DAY}
        if question not in self._asked and len(self._asked) >= CONFIGURATIONS:
            raise EC2ClientError(
                "MaxConfigLimitExceeded",
                "You have exceeded your maximum allowed Spot placement configurations.",
            )
        self._asked.setdefault(question, now)

    def _score(self, zone: str, types: Sequence[str], target: int) -> int:
        if not any(self._capacity.has(zone, one, "spot") for one in types):
            return 1
        digest = hashlib.sha256(repr((zone, sorted(types), target)).encode()).digest()
        return 3 + digest[0] % 7
