"""The stories: what each command makes true. No printing, no exit.

Light to import: each story is loaded, with the adapters that it needs, when it is told.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.deployment.attending import attend
    from wrapper.deployment.autostop import extend
    from wrapper.deployment.baking import bake, images
    from wrapper.deployment.baking import prune as prune_images
    from wrapper.deployment.bring_up import up
    from wrapper.deployment.bringing_files import How, pull, push
    from wrapper.deployment.budgeting import budget, remove_budget
    from wrapper.deployment.change import allow, new_password, password
    from wrapper.deployment.choosing import settled
    from wrapper.deployment.cloning import CloneWish, clone
    from wrapper.deployment.copies import Where, delete_kept, snapshot, snapshots
    from wrapper.deployment.listing import every
    from wrapper.deployment.live import watch_status
    from wrapper.deployment.look import check, console_text, status
    from wrapper.deployment.offering import Looking, offers
    from wrapper.deployment.opening import (
        close_door,
        door_that_answers,
        open_behind,
        open_door,
        standing_door,
    )
    from wrapper.deployment.pausing import start, stop
    from wrapper.deployment.plain_terraform import configure
    from wrapper.deployment.price_history import prices
    from wrapper.deployment.reading_logs import logs
    from wrapper.deployment.rehearsing import interrupt
    from wrapper.deployment.resizing import resize
    from wrapper.deployment.running import cancel, run, runs
    from wrapper.deployment.running import start as start_run
    from wrapper.deployment.spent import cost
    from wrapper.deployment.ssh import connect
    from wrapper.deployment.staying import stay
    from wrapper.deployment.sweeping import down_all, sweep
    from wrapper.deployment.syncing import sync
    from wrapper.deployment.take_down import Wish, down
    from wrapper.deployment.taking import take
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.whole_account import census
    from wrapper.deployment.world import World

__all__ = [
    "CloneWish",
    "How",
    "Looking",
    "Wanted",
    "Where",
    "Wish",
    "World",
    "allow",
    "attend",
    "bake",
    "budget",
    "cancel",
    "census",
    "check",
    "clone",
    "close_door",
    "configure",
    "connect",
    "console_text",
    "cost",
    "delete_kept",
    "door_that_answers",
    "down",
    "down_all",
    "every",
    "extend",
    "images",
    "interrupt",
    "logs",
    "new_password",
    "offers",
    "open_behind",
    "open_door",
    "password",
    "prices",
    "prune_images",
    "pull",
    "push",
    "remove_budget",
    "resize",
    "run",
    "runs",
    "settled",
    "snapshot",
    "snapshots",
    "standing_door",
    "start",
    "start_run",
    "status",
    "stay",
    "stop",
    "sweep",
    "sync",
    "take",
    "up",
    "watch_status",
]

_ROOMS = {
    "CloneWish": "cloning",
    "How": "bringing_files",
    "Looking": "offering",
    "Wanted": "wanted",
    "Where": "copies",
    "Wish": "take_down",
    "World": "world",
    "allow": "change",
    "attend": "attending",
    "bake": "baking",
    "budget": "budgeting",
    "cancel": "running",
    "census": "whole_account",
    "check": "look",
    "clone": "cloning",
    "close_door": "opening",
    "door_that_answers": "opening",
    "configure": "plain_terraform",
    "connect": "ssh",
    "console_text": "look",
    "cost": "spent",
    "delete_kept": "copies",
    "down": "take_down",
    "down_all": "sweeping",
    "every": "listing",
    "extend": "autostop",
    "images": "baking",
    "interrupt": "rehearsing",
    "logs": "reading_logs",
    "new_password": "change",
    "offers": "offering",
    "open_behind": "opening",
    "open_door": "opening",
    "password": "change",
    "prices": "price_history",
    "prune_images": "baking:prune",
    "pull": "bringing_files",
    "push": "bringing_files",
    "remove_budget": "budgeting",
    "resize": "resizing",
    "run": "running",
    "runs": "running",
    "settled": "choosing",
    "snapshot": "copies",
    "snapshots": "copies",
    "standing_door": "opening",
    "start": "pausing",
    "start_run": "running:start",
    "status": "look",
    "stay": "staying",
    "stop": "pausing",
    "sweep": "sweeping",
    "sync": "syncing",
    "take": "taking",
    "up": "bring_up",
    "watch_status": "live",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        room, _, there = _ROOMS[name].partition(":")
        return getattr(import_module(f"{__name__}.{room}"), there or name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
