"""What `down` finds left, and may not remove."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ending import Scene, scene
from tests.unit.fleet import launch, tags
from wrapper import deployment
from wrapper.aws.account import Account
from wrapper.deployment import clearing
from wrapper.deployment.events import Warned
from wrapper.errors import AwsError, LeftoverError

__all__ = ["scene"]  # a fixture, for pytest to find here

AGAIN = clearing.AGAIN
"""As users have it: the scene shortens it."""


def test_what_may_not_be_removed_is_listed_and_all_else_is_gone(scene: Scene) -> None:
    address = scene.ec2.allocate_address(
        Domain="vpc", TagSpecifications=tags(scene.name, "elastic-ip")
    )["AllocationId"]
    scene.ec2.create_security_group(
        GroupName=scene.name,
        Description="x",
        TagSpecifications=tags(scene.name, "security-group"),
    )
    scene.remember(None, None)
    scene.account.control.refuse("ec2:ReleaseAddress", "denied")
    try:
        with pytest.raises(LeftoverError, match=f"^1 left in .*\n  address {address}"):
            deployment.down(scene.world, scene.name)
    finally:
        scene.account.control.refuse("ec2:ReleaseAddress", None)

    assert deployment.down(scene.world, scene.name).removed == (f"address {address}",)


class Quick:
    """Time that passes by being waited for, and no other way."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, until: Any, *, what: str, minutes: float = 10) -> Any:
        """As Account.wait, whose last look comes when the time is over."""
        if (found := until()) is None:
            self.now += minutes * 60
            raise AwsError(what)
        return found


@pytest.mark.parametrize("groups", [1, 20])
def test_what_somebody_else_holds_is_told_and_not_waited_for_without_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    ours = [
        scene.ec2.create_security_group(
            GroupName=f"{scene.name}-{number}",
            Description="x",
            TagSpecifications=tags(scene.name, "security-group"),
        )["GroupId"]
        for number in range(groups)
    ]
    machine = launch(scene.ec2, f"{scene.name}-another", SecurityGroupIds=ours)
    scene.remember(None, None)
    quick = Quick()
    monkeypatch.setattr(clearing, "AGAIN", AGAIN)
    monkeypatch.setattr(clearing, "time", quick)
    monkeypatch.setattr(Account, "wait", quick.wait)

    with pytest.raises(LeftoverError, match=f"{groups} left in"):
        deployment.down(scene.world, scene.name)
    assert 60 < quick.now <= clearing.WITHIN + max(AGAIN), "of waiting, none of it real"
    assert len([one for one in scene.told if isinstance(one, Warned)]) == groups, "each once"

    monkeypatch.undo()
    scene.aws.end_machines(f"{scene.name}-another", instance_ids=[machine])
    assert len(deployment.down(scene.world, scene.name).removed) == groups
