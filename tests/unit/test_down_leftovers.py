"""What `down` finds left, and may not remove."""

from __future__ import annotations

import pytest

from tests.unit.ending import Scene, scene
from tests.unit.fleet import tags
from wrapper import deployment
from wrapper.errors import LeftoverError

__all__ = ["scene"]  # a fixture, for pytest to find here


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
