"""What a rehearsal notes of one end of a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.work import Left


@dataclass
class Act:
    """One end of a machine: when things happened, in seconds from its beginning, what was lost."""

    name: str
    moments: dict[str, float] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds of each step of the rescue."""
    reasons: list[str] = field(default_factory=list)
    """Of the rescues that the console tells of."""
    notice: str = ""
    """What JupyterLab showed."""
    left: Left | None = None
    compared: int = 0
    changed: list[str] = field(default_factory=list)
    """Files, of those compared, that are not the same afterwards."""
    same: dict[str, bool] = field(default_factory=dict)
    """Whether the machine shows the address, key and password of before."""

    @property
    def seconds(self) -> dict[str, float]:
        """What it is measured by."""
        told = {"notice to saved": ("", "saved"), "capacity to answering": ("capacity", "answers")}
        return {
            name: round(self.moments[end] - self.moments.get(begin, 0), 1)
            for name, (begin, end) in told.items()
            if end in self.moments
        }


def shown(look: Callable[[], object]) -> bool:
    """It can be done as before."""
    try:
        look()
    except CloudsError:
        return False
    return True
