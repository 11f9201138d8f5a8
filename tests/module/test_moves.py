"""A spot machine's life after its launch, with a real Terraform against the EC2 API.

No machine boots (its console says at once what a booted one says), and connections to its address
are led to the Jupyter of the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.module.test_stories import Stage, jupyter, pytestmark, stage
from wrapper import deployment
from wrapper.aws import Request
from wrapper.deployment.events import Note
from wrapper.errors import RefusedError
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.summary import Summary

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here

TYPE = "t3.large"


def _up(stage: Stage, name: str, **asked: Any) -> Summary:
    settings = Settings(**asked)
    return deployment.up(stage.world, stage.wanted(name, settings=settings)).summary


def test_where_a_zone_has_no_capacity_the_next_is_tried_and_stays_chosen(stage: Stage) -> None:
    stage.control.capacity("none", instance_type=TYPE, market="spot")
    with pytest.raises(RefusedError, match="no spot capacity") as raised:
        _up(stage, "first", spot=True)
    assert raised.value.exit_code == 1
    requests = stage.aws().find_spot_requests("first")
    assert {one.state for one in requests} == {"cancelled"}, "nothing is left open"

    subnets = stage.aws().check_request(Request(TYPE, spot=True)).subnets
    first, *_ = sorted(subnets, key=lambda zone: subnets[zone])  # where the module puts it
    stage.control.capacity("back")
    stage.control.capacity("none", zone=first, market="spot")
    asked: dict[str, Any] = {"spot": True, "fallback": ("zone",)}
    made = _up(stage, "first", **asked)
    assert (made.market, made.zone != first) == ("spot", True)
    assert any(f"in {first}: there is no spot capacity" in one.text for one in stage.of(Note))
    assert _up(stage, "first", **asked).instance_id == made.instance_id, "nothing to do"
    assert len(stage.aws().find_instances("first")) == 1
    deployment.down(stage.world, "first")
    assert stage.aws().leftovers("first") == []
