"""The stories: what each command makes true. No printing, no exit.

Light to import: each story is loaded, with the adapters that it needs, when it is told.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.deployment.autostop import extend
    from wrapper.deployment.bring_up import up
    from wrapper.deployment.budgeting import budget, remove_budget
    from wrapper.deployment.change import allow, new_password, password
    from wrapper.deployment.choosing import settled
    from wrapper.deployment.copies import Where, delete_kept, snapshot, snapshots
    from wrapper.deployment.listing import every
    from wrapper.deployment.look import check, console_text, status
    from wrapper.deployment.offering import Looking, offers
    from wrapper.deployment.pausing import start, stop
    from wrapper.deployment.plain_terraform import configure
    from wrapper.deployment.price_history import prices
    from wrapper.deployment.rehearsing import interrupt
    from wrapper.deployment.resizing import resize
    from wrapper.deployment.spent import cost
    from wrapper.deployment.staying import stay
    from wrapper.deployment.sweeping import down_all, sweep
    from wrapper.deployment.take_down import Wish, down
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.whole_account import census
    from wrapper.deployment.world import World

__all__ = [
    "Looking",
    "Wanted",
    "Where",
    "Wish",
    "World",
    "allow",
    "budget",
    "census",
    "check",
    "configure",
    "console_text",
    "cost",
    "delete_kept",
    "down",
    "down_all",
    "every",
    "extend",
    "interrupt",
    "new_password",
    "offers",
    "password",
    "prices",
    "remove_budget",
    "resize",
    "settled",
    "snapshot",
    "snapshots",
    "start",
    "status",
    "stay",
    "stop",
    "sweep",
    "up",
]

_ROOMS = {
    "Looking": "offering",
    "Wanted": "wanted",
    "Where": "copies",
    "Wish": "take_down",
    "World": "world",
    "allow": "change",
    "budget": "budgeting",
    "census": "whole_account",
    "check": "look",
    "configure": "plain_terraform",
    "console_text": "look",
    "cost": "spent",
    "delete_kept": "copies",
    "down": "take_down",
    "down_all": "sweeping",
    "every": "listing",
    "extend": "autostop",
    "interrupt": "rehearsing",
    "new_password": "change",
    "offers": "offering",
    "password": "change",
    "prices": "price_history",
    "remove_budget": "budgeting",
    "resize": "resizing",
    "settled": "choosing",
    "snapshot": "copies",
    "snapshots": "copies",
    "start": "pausing",
    "status": "look",
    "stay": "staying",
    "stop": "pausing",
    "sweep": "sweeping",
    "up": "bring_up",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
