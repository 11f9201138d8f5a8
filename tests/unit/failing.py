"""An `up` whose Terraform refuses, in an account with no machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD
from tests.unit.worlds import bare_world
from wrapper import deployment
from wrapper.deployment.wanted import Wanted
from wrapper.errors import CloudsError, TerraformError
from wrapper.home import Home, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World


@dataclass
class Failing:
    """A Terraform that refuses at one of its steps."""

    errors: dict[str, CloudsError] = field(default_factory=dict)
    cancelled: threading.Event | None = None
    slow: bool = False
    """Providers come only after an hour."""

    def __call__(self, *_: Any, cancelled: threading.Event | None = None, **__: Any) -> Failing:
        """The adapter of one directory."""
        self.cancelled = cancelled or self.cancelled
        return self

    def _at(self, step: str) -> None:
        if step in self.errors:
            raise self.errors[step]

    def init(self, **_: Any) -> None:
        """Providers are there."""
        self._at("init")
        if self.slow and self.cancelled:
            assert self.cancelled.wait(3600)

    def plan_and_apply(self, *_: Any, **__: Any) -> list[str]:
        """What is asked of a first `up`."""
        self._at("plan")
        return []

    def plan(self) -> None:
        """What is asked of a later one; here it always ends."""
        raise TerraformError("planned", hint="")


@pytest.fixture
def terraform() -> Failing:
    return Failing({"plan": TerraformError("refused", hint="")})


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def world(tmp_path: Path, account: Account, terraform: Failing, told: list[Any]) -> World:
    return bare_world(tmp_path, account, terraform, told)


@pytest.fixture
def up(world: World, name: str) -> Callable[..., None]:
    """`up --local` of the test's deployment, with a password."""

    def again(password: str = PASSWORD, **more: Any) -> None:
        said = {"settings": Settings(allow=("203.0.113.7/32",)), **more}
        wanted = Wanted(name=name, new_password=lambda: password, local=True, **said)
        deployment.up(world, wanted)

    return again


def home_of(world: World, name: str) -> Home:
    return Home(root(world.environment) / name)
