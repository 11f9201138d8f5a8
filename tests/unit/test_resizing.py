"""`resize` refuses what cannot be before anything happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.errors import NothingToDo, RequestError, UnknownDeploymentError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account


@pytest.fixture
def resize(tmp_path: Path, account: Account) -> Callable[[str], None]:
    """Of a deployment in us-east-1e with a data volume, to that type."""

    def to(instance_type: str, name: str = "mine") -> None:
        told: list[Any] = []
        world = bare_world(tmp_path, account, StandIn(), told)
        home = Home(root(world.environment) / "mine")
        home.create()
        record = Record("mine", Place("local", "us-east-1", "123456789012"))
        record.outputs.update(availability_zone="us-east-1e", data_volume_id="vol-1")
        home.remember(record)
        deployment.resize(world, name, instance_type)

    return to


@pytest.mark.parametrize(
    ("instance_type", "said"),
    [
        ("t3.gigantic", "t3.gigantic"),
        ("t4g.large", "is arm64, mine is x86_64: its environments would not run on it"),
        ("m7i.large", "not offered in us-east-1e, where mine and its data are"),
        ("m4.large", "Xen"),
    ],
    ids=["no type", "another architecture", "not in its zone", "too old for its data volume"],
)
def test_a_type_that_cannot_be_is_refused_with_what_could(
    resize: Callable[[str], None], instance_type: str, said: str
) -> None:
    with pytest.raises(RequestError, match=said) as failed:
        resize(instance_type)
    assert failed.value.hint


def test_the_same_type_is_nothing_to_do(resize: Callable[[str], None]) -> None:
    with pytest.raises(NothingToDo):
        resize("t3.large")


def test_what_is_not_there_cannot_be_resized(resize: Callable[..., None]) -> None:
    with pytest.raises(UnknownDeploymentError):
        resize("t3.large", name="other")
