"""The password of an `up` that failed, and of the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD
from tests.unit.failing import home_of, terraform, told, up, world
from tests.unit.fleet import launch
from tests.unit.test_password import passwd_check
from wrapper import deployment
from wrapper.deployment.events import Note
from wrapper.errors import TerraformError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ec2 import EC2Client

    from wrapper.deployment.world import World

__all__ = ["terraform", "told", "up", "world"]  # fixtures, for pytest to find here

OTHER = "gutih-babad-lusab-tugad"


def test_a_generated_password_is_generated_once(
    world: World, name: str, up: Callable[..., None], told: list[Any]
) -> None:
    for password in (PASSWORD, OTHER):
        with pytest.raises(TerraformError):
            up(password, generate_password=True)
    assert home_of(world, name).password() == PASSWORD
    assert any("password is kept" in one.text for one in told if isinstance(one, Note))


def test_the_same_password_may_be_named_again(
    world: World, name: str, up: Callable[..., None]
) -> None:
    for _ in range(2):
        with pytest.raises(TerraformError):
            up(password_said=True)
    assert home_of(world, name).password() == PASSWORD


def test_another_password_is_taken_while_there_is_no_machine(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(TerraformError):
        up()
    before = home_of(world, name).variables()["password_hash"]
    with pytest.raises(TerraformError):
        up(OTHER, password_said=True)
    assert home_of(world, name).password() == OTHER
    assert home_of(world, name).variables()["password_hash"] != before


def test_a_password_and_its_hash_stay_together_where_an_up_fails(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(TerraformError):
        up()
    with pytest.raises(TerraformError):
        up(OTHER, password_said=True)
    home = home_of(world, name)
    assert home.password() == OTHER
    assert passwd_check(home.variables()["password_hash"], OTHER)


def test_another_password_is_refused_for_a_machine_that_has_one(
    world: World, name: str, up: Callable[..., None], ec2: EC2Client
) -> None:
    with pytest.raises(TerraformError):
        up()
    home = home_of(world, name)
    record = home.record()
    assert record
    home.remember(replace(record, outputs={"instance_id": launch(ec2, name)}))
    with pytest.raises(UsageError, match="has a password already") as raised:
        up(OTHER, password_said=True)
    assert "password --new" in (raised.value.hint or "")
    assert home.password() == PASSWORD
    with pytest.raises(TerraformError, match="planned"):
        up(OTHER, generate_password=True)
    deployment.down(world, name)
