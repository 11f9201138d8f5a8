"""An account and a computer for one random life."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tests.ec2 import served
from tests.module import answering
from tests.module.life import Life
from tests.module.perils import PerilousAws, PerilousTerraform, Perils
from tests.module.stage import NoEmbedded
from tests.module.workroom import Clock, WorkRoom
from tests.provider import Provider
from wrapper.deployment.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def lived(folder: Path, providers: Path) -> Iterator[Life]:
    """A life that has not begun."""
    room, clock, perils = WorkRoom(answering.KEY, answering.CERTIFICATE), Clock(), Perils()
    with served(room, clock) as account:
        environment = {
            **account.environment,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
        }
        provider = Provider(providers, account)
        world = World(
            environment=environment,
            aws=partial(PerilousAws, perils),
            terraform=partial(PerilousTerraform, perils, provider),
            pin=partial(answering.pin, room),
            notebook=partial(answering.speak, room),  # type: ignore[arg-type] # as much as is asked
            embedded=NoEmbedded,  # type: ignore[arg-type] # likewise
            public_address=lambda: "198.51.100.7",
            report=lambda _: None,
            confirm=lambda _: True,
        )
        try:
            yield Life(world, account, room, clock, perils)
        finally:
            provider.stop()
