"""What the regions of the embedded EC2 share: its machines, its market and its records."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moto.core.models import DEFAULT_ACCOUNT_ID

from wrapper.local.api.budgets import Budgets
from wrapper.local.api.capacity import Capacity
from wrapper.local.api.cloudtrail import Trail
from wrapper.local.api.network import AddressPool
from wrapper.local.api.placement import Placement
from wrapper.local.api.prices import Prices
from wrapper.local.api.refusals import Refusals
from wrapper.local.api.schedules import Schedules

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.local.machines import Machines


@dataclass(frozen=True)
class Room:
    """What the regions share."""

    machines: Machines
    clock: Callable[[], float] = time.time
    account: str = DEFAULT_ACCOUNT_ID
    """Of the roles and buckets."""
    addresses: AddressPool = field(default_factory=AddressPool)
    capacity: Capacity = field(default_factory=Capacity)
    budgets: Budgets = field(default_factory=Budgets)
    refusals: Refusals = field(default_factory=Refusals)
    prices: Prices = field(init=False)
    placement: Placement = field(init=False)
    trail: Trail = field(init=False)
    schedules: Schedules = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prices", Prices(self.clock))
        object.__setattr__(self, "placement", Placement(self.capacity, self.clock))
        object.__setattr__(self, "trail", Trail(self.clock))
        object.__setattr__(self, "schedules", Schedules(self.clock, self.account))
