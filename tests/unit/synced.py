"""A folder here and one on a machine, for the real Unison to bring together."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.far_machine import set_out
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.deployment.syncing import Wish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.unison import Outcome


class Ends:
    """A folder here, and one in the machine's home directory."""

    def __init__(self, here: Path, home: Path, world: deployment.World, told: list[Any]) -> None:
        self.here, self.home, self.world, self.told = here, home, world, told
        self.there = home / "work" / here.name

    def sync(self, **wish: bool) -> Outcome:
        """What did not come together; what did is seen in the folders."""
        return dataclasses.replace(self.synced(**wish), changed=())

    def synced(self, **wish: bool) -> Outcome:
        return deployment.sync(self.world, "moon", self.here, None, Wish(**wish))


@pytest.fixture
def ends(tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    here, home, folder = set_out(tmp_path, monkeypatch, "my project")
    told: list[Any] = []
    world = bare_world(tmp_path, account, StandIn(), told)
    world = dataclasses.replace(world, environment={**os.environ, **world.environment})
    yield Ends(here, home, world, told)
    shutil.rmtree(folder)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(f"of {folder.parent.name}: {name}"))


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)
