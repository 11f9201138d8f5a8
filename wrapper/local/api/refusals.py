"""Calls that the account may not make, or makes too fast: decided by the owner of the embedded EC2.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["denied", "throttled"]
KINDS: Final[tuple[Kind, ...]] = ("denied", "throttled")


class Refusals:
    """By action, such as pricing:GetProducts."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Kind, int | None]] = {}

    def decide(self, action: str, kind: Kind | None, times: int | None = None) -> None:
        """The next `times` calls of it are refused, None is all; `kind` None: no longer."""
        self._of.pop(action, None)
        if kind is not None:
            self._of[action] = kind, times

    def take(self, action: str) -> Kind | None:
        """How this call of it is refused; None when it is not."""
        kind, times = self._of.get(action, (None, None))
        if kind and times is not None:
            self.decide(action, kind if times > 1 else None, times - 1)
        return kind
