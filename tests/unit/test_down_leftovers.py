"""What `down` finds left, and may not remove."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.ending import Scene, StateOnly, scene, write_state
from tests.unit.fleet import launch, tags
from tests.unit.records import proofs, prove
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


@pytest.fixture
def releasing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """As Terraform does it: with the address goes what tells of the records."""

    def destroy(self: StateOnly, _: object) -> None:
        for one in scene.ec2.describe_addresses()["Addresses"]:
            scene.ec2.release_address(AllocationId=one["AllocationId"])
        self.steps.made("destroy")

    monkeypatch.setattr(StateOnly, "destroy", destroy)
    scene.remember(None, None)
    write_state(scene.home.path, [])
    return scene


def test_what_a_machine_left_that_ended_while_it_proved_its_domain_is_gone(
    releasing: Scene,
) -> None:
    route53, zone = prove(releasing.account, releasing.ec2, releasing.name)

    deployment.down(releasing.world, releasing.name)

    assert proofs(route53, zone) == [f"_acme-challenge.other-{releasing.name}.example.org."]
    assert any("was left by the machine, and is removed" in one for one in releasing.texts())
    assert releasing.steps.seen.index("end_machines") < releasing.steps.seen.index("remove")


def test_where_it_may_not_go_all_else_goes_and_it_is_told(releasing: Scene) -> None:
    prove(releasing.account, releasing.ec2, releasing.name)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ChangeResourceRecordSets")

    events = releasing.aws._account.route53.meta.events
    asked = "before-call.route-53.ChangeResourceRecordSets"
    events.register(asked, refuse)
    try:
        done = deployment.down(releasing.world, releasing.name)
    finally:
        events.unregister(asked, refuse)

    assert done.left == ()
    (warned,) = [one.text for one in releasing.told if isinstance(one, Warned)]
    assert f"_acme-challenge.{releasing.name}.example.org is still there" in warned
