"""A data volume made larger while its machine runs: the machine's file system follows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrapper.deployment import logging_in, verify
from wrapper.deployment.data import VOLUME_TYPE
from wrapper.deployment.disk import GIB, gib
from wrapper.deployment.events import Note, Step, Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

PATIENCE = 60.0
"""Seconds; the machine looks every five (templates/services, grow.sh)."""
EVERY = 1.0
_SHARE = 0.9
"""Of a volume's bytes that a file system has for files, at least: the rest is its own."""


def settle(world: World, home: Home, ready: Prepared) -> None:
    """Where the volume was made larger, it was told that the file system is too, or when."""
    size, record = ready.record.settings.get("data_volume_size"), home.record()
    if record is None or not size or not _grew(ready):
        return
    if record.instance_id != ready.record.instance_id:
        return  # a new machine's grows as it boots
    world.report(Step("Waiting for the file system to grow"))
    total = _total(world, home, record, size * GIB)
    if total is None:
        return
    if total >= size * GIB * _SHARE:
        world.report(Note(f"The disk has {gib(total)} for files now"))
        return
    world.report(
        Warned(
            f"The data volume has {size} GiB now, its file system still {gib(total)}. It grows at "
            f"the machine's next start: python -m wrapper stop {record.name}, then start"
        )
    )


def _grew(ready: Prepared) -> bool:
    return any(one.type == VOLUME_TYPE and one.action == "update" for one in ready.changes)


def _total(world: World, home: Home, record: Record, wanted: int) -> int | None:
    """Bytes of the file system, once it has grown or patience ended; None when nobody tells."""
    end = time.monotonic() + PATIENCE
    try:
        where = verify.address(record)
        pin = world.look_whose(where, record.key_sha256 or "")
        with logging_in.logged_in(world, home, where, pin) as notebook:
            while True:
                total = notebook.clouds_status().disk_total
                if total is None or total >= wanted * _SHARE or time.monotonic() > end:
                    return total
                time.sleep(EVERY)
    except CloudsError as error:
        world.report(Warned(f"How large the disk is now could not be seen: {error.message}"))
        return None
