"""A spot machine's life after its launch, with a real Terraform against the EC2 API.

No machine boots (its console says at once what a booted one says), and connections to its address
are led to the Jupyter of the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.module.test_stories import Stage, jupyter, pytestmark, stage
from wrapper import deployment
from wrapper.deployment import bringing_back, coming_back
from wrapper.deployment.events import Note
from wrapper.errors import NoAnswerError, RefusedError
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.summary import Summary

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here

TYPE = "t3.large"


def _up(stage: Stage, name: str, *, watch: bool = False, **asked: object) -> Summary:
    settings = Settings(**asked)  # type: ignore[arg-type] # each test's own
    return deployment.up(stage.world, stage.wanted(name, settings=settings, watch=watch)).summary


def test_where_a_zone_has_no_capacity_the_next_is_tried_and_stays_chosen(stage: Stage) -> None:
    asked = {"spot": True, "fallback": ("zone",)}
    stage.control.capacity("none", instance_type=TYPE)
    stage.control.capacity("back", zone="us-east-1d", instance_type=TYPE, market="spot")
    made = _up(stage, "first", **asked)
    assert (made.zone, made.market) == ("us-east-1d", "spot")
    told = [one.text for one in stage.of(Note) if "capacity-not-available" in one.text]
    assert told, "what was learnt"
    again = _up(stage, "first", **asked)
    assert again.instance_id == made.instance_id, "nothing to do"
    assert len(stage.aws().find_instances("first")) == 1
    deployment.down(stage.world, "first")
    assert stage.aws().leftovers("first") == []


def test_no_capacity_anywhere_is_told_and_leaves_no_request_open(stage: Stage) -> None:
    stage.control.capacity("none", instance_type=TYPE, market="spot")
    with pytest.raises(RefusedError, match="no spot capacity") as raised:
        _up(stage, "none", spot=True)
    assert raised.value.exit_code == 1
    assert {one.state for one in stage.aws().find_spot_requests("none")} == {"cancelled"}
    assert _up(stage, "none", market="auto", fallback=("on-demand",)).market == "on-demand"
    deployment.down(stage.world, "none")
    assert stage.aws().leftovers("none") == []


def test_a_machine_that_was_taken_back_is_waited_for_or_moved_away_from(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming_back, "EVERY", 0.2)
    monkeypatch.setattr(bringing_back, "MOVE_AFTER", 0.5)
    first = _up(stage, "taken", spot=True)
    stopped = deployment.stop(stage.world, "taken")
    assert (stopped.state, stopped.changed) == ("stopped", True)
    assert deployment.start(stage.world, "taken").summary.url == first.url

    stage.interrupt(first)
    assert "starts again by itself" in (deployment.status(stage.world, "taken").spot_request or "")
    with pytest.raises(NoAnswerError, match="no spot capacity was left") as raised:
        _up(stage, "taken")
    assert "--watch" in (raised.value.hint or "")
    with pytest.raises(NoAnswerError):
        deployment.start(stage.world, "taken")
    stage.control.capacity("back")
    assert _up(stage, "taken", watch=True).instance_id == first.instance_id, "EC2 started it"

    stage.interrupt(first)
    moved = _up(stage, "taken", watch=True, fallback=("on-demand",))
    assert (moved.market, moved.url) == ("on-demand", first.url)
    assert [one.instance_id for one in stage.aws().find_instances("taken")] == [moved.instance_id]
    deployment.down(stage.world, "taken")
    assert stage.aws().leftovers("taken") == []
