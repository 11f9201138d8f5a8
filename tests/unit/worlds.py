"""A world with an account of the embedded EC2 and a stand-in for Terraform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import QUICK
from wrapper.aws import Aws
from wrapper.deployment.world import World
from wrapper.local import Status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.home import Home


class StandIn:
    """A Terraform that does as little as its heirs let it."""

    def __init__(self) -> None:
        self.home: Home | None = None

    def __call__(self, *_: Any, **__: Any) -> StandIn:
        """The adapter of one directory."""
        return self

    def init(self, **_: Any) -> None:
        """Providers are there."""


@dataclass
class Embedded:
    """The embedded EC2's door, on the account of the test."""

    env: dict[str, str]

    def start(self, **_: Any) -> Status:
        """It runs."""
        return self.status()

    def settled(self, **_: Any) -> Status:
        """Likewise."""
        return self.status()

    def status(self) -> Status:
        """Likewise."""
        return Status(running=True, env=self.env)


def bare_world(tmp_path: Path, account: Account, terraform: Any, told: list[Any]) -> World:
    """A computer that knows of no AWS account and no region, beside the embedded EC2."""
    nothing: Any = None
    return World(
        environment={"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)},
        aws=partial(Aws, pace=QUICK),
        terraform=terraform,
        pin=nothing,
        notebook=nothing,
        embedded=lambda: Embedded(account.environment),  # type: ignore[arg-type, return-value] # as much as is asked
        public_address=lambda: "203.0.113.7",
        report=told.append,
        confirm=lambda _: True,
    )


@pytest.fixture
def told() -> list[Any]:
    """What was reported in the world."""
    return []


@pytest.fixture
def world(tmp_path: Path, account: Account, told: list[Any]) -> World:
    """A bare one, whose Terraform is a stand-in."""
    return bare_world(tmp_path, account, StandIn(), told)
