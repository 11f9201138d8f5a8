"""What a running machine has written is on its disks, for a copy of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from wrapper.deployment import logging_in, verify
from wrapper.deployment.events import Note, Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

_FLUSH = "import os; os.sync(); print('flushed')"
"""Also a user without rights may have every file system written out: sync(2)."""


def settle(
    world: World, home: Home, record: Record, machine: Instance | None
) -> Literal["clean", "flushed", "crash-consistent"]:
    """What a copy will show; a notebook that answers has everything written out."""
    if machine is None or machine.state in ("stopped", "terminated"):
        return "clean"
    if record.key_sha256 is None or not machine.public_ip:
        return "crash-consistent"
    try:
        address = verify.address(record, machine.public_ip)
        pin = world.look_whose(address, record.key_sha256)
        with logging_in.logged_in(world, home, address, pin) as notebook:
            notebook.run_cell(_FLUSH)
    except CloudsError as error:
        world.report(Warned(f"The machine was not asked to write out its files: {error.message}"))
        return "crash-consistent"
    now = datetime.now(UTC).strftime("%H:%M:%S")
    world.report(Note(f"Everything that was saved until {now} UTC is written out"))
    return "flushed"
