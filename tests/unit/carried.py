"""A folder here and one on a machine, for the real rsync to carry files between."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.far_machine import set_out
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.deployment import How

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World


class Ends:
    """A folder here, and the machine's home directory."""

    def __init__(self, here: Path, home: Path, world: World) -> None:
        self.here, self.home, self.world = here, home, world
        self.there = home / "work" / here.name

    def push(self, target: str | None = None, source: Path | None = None, **how: bool) -> None:
        deployment.push(self.world, "moon", source or self.here, target, How(**how))

    def pull(self, source: str | None = "project", target: Path | None = None, **how: bool) -> None:
        deployment.pull(self.world, "moon", source, target or self.here, How(**how))


@pytest.fixture
def ends(tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Ends:
    here, home, _ = set_out(tmp_path, monkeypatch, "project")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    world = bare_world(tmp_path, account, StandIn(), [])
    return Ends(here, home, _with_path(world))


def _with_path(world: World) -> World:
    return dataclasses.replace(world, environment={**os.environ, **world.environment})


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(f"of {folder.name}: {name}"))


def newer(path: Path, by: int = 100) -> None:
    now = path.stat().st_mtime + by
    os.utime(path, (now, now))
