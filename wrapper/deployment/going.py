"""The parts of one `up` or `start` that is going on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrapper.deployment.early import Early

if TYPE_CHECKING:
    from wrapper.certificate import Pair
    from wrapper.deployment.place import Way
    from wrapper.deployment.progress import Meter
    from wrapper.deployment.watch import Watch
    from wrapper.deployment.world import World
    from wrapper.home import Home


@dataclass(frozen=True)
class Going:
    """What its steps hand on to each other."""

    world: World
    home: Home
    way: Way
    meter: Meter
    watch: Watch
    pair: Pair | None = None
    """A certificate of the user's own."""
    untouched: bool = True
    """Terraform had nothing to do."""
    early: Early = field(default_factory=Early)
    """What was verified while Terraform still worked."""
