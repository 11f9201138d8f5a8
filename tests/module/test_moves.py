"""A spot machine's life after its launch, with a real Terraform against the EC2 API.

No machine boots (its console says at once what a booted one says), and connections to its address
are led to the Jupyter of the test.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.module.test_stories import Stage, jupyter, pytestmark, stage
from wrapper import deployment
from wrapper.aws import Request
from wrapper.deployment import Wish, bringing_back, coming_back, staying
from wrapper.deployment.events import Note
from wrapper.errors import FailedError, NoAnswerError, RefusedError
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.answering import Up
    from wrapper.deployment.summary import Summary

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here

TYPE = "t3.large"


def _up(stage: Stage, name: str, *, watch: bool = False, **asked: Any) -> Summary:
    settings = Settings(**asked)
    return deployment.up(stage.world, stage.wanted(name, settings=settings, watch=watch)).summary


def test_where_a_zone_has_no_capacity_the_next_is_tried_and_stays_chosen(stage: Stage) -> None:
    stage.control.capacity("none", instance_type=TYPE, market="spot")
    with pytest.raises(RefusedError, match="no spot capacity") as raised:
        _up(stage, "first", spot=True, data_volume_size=0)
    assert raised.value.exit_code == 1
    requests = stage.aws().find_spot_requests("first")
    assert {one.state for one in requests} == {"cancelled"}, "nothing is left open"

    subnets = stage.aws().check_request(Request(TYPE, spot=True)).subnets
    first, *_ = sorted(subnets, key=lambda zone: subnets[zone])  # where the module puts it
    stage.control.capacity("back")
    stage.control.capacity("none", zone=first, market="spot")
    asked: dict[str, Any] = {"spot": True, "fallback": ("zone",), "data_volume_size": 0}
    made = _up(stage, "first", **asked)
    assert (made.market, made.zone != first) == ("spot", True)
    assert any(f"in {first}: there is no spot capacity" in one.text for one in stage.of(Note))
    assert _up(stage, "first", **asked).instance_id == made.instance_id, "nothing to do"
    assert len(stage.aws().find_instances("first")) == 1
    deployment.down(stage.world, "first")
    assert stage.aws().leftovers("first") == []


def _take_back(stage: Stage, machine: Summary) -> None:
    """EC2 has no capacity left in its market, and stops the machine."""
    stage.control.capacity("none", market="spot")
    stage.control.interrupt(machine.instance_id or "", after=0)
    deadline = time.monotonic() + 30
    while deployment.status(stage.world, machine.name).state != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.1)


class _AnsweredError(Exception):
    """As far as the watch has to go."""


def _watched(stage: Stage, first: Summary) -> Summary:
    """Where `up --watch` has brought a machine whose zone had no capacity any more."""
    wanted = stage.wanted(first.name, settings=Settings(fallback=("zone",)), watch=True)
    up = deployment.up(stage.world, wanted)
    assert not up.changed
    _take_back(stage, first)
    stage.control.capacity("back")
    stage.control.capacity("none", zone=first.zone, market="spot")

    def tell(again: Up) -> None:
        raise _AnsweredError(again.summary)

    with pytest.raises(_AnsweredError) as raised:
        deployment.stay(stage.world, wanted, up, tell)
    moved: Summary = raised.value.args[0]
    return moved


def test_a_machine_that_was_taken_back_is_waited_for_or_moved_away_from(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming_back, "EVERY", 0.2)
    monkeypatch.setattr(bringing_back, "MOVE_AFTER", 0.5)
    monkeypatch.setattr(staying, "EVERY", 0.2)
    first = _up(stage, "taken", spot=True, data_volume_size=1)
    stopped = deployment.stop(stage.world, "taken")
    assert (stopped.state, stopped.changed) == ("stopped", True)
    assert deployment.start(stage.world, "taken").summary.url == first.url

    _take_back(stage, first)
    assert "starts again by itself" in (deployment.status(stage.world, "taken").spot_request or "")
    with pytest.raises(NoAnswerError, match="no spot capacity was left") as raised:
        deployment.start(stage.world, "taken")
    assert "--watch" in (raised.value.hint or "")
    with pytest.raises(FailedError, match="Only ending the machine keeps it down"):
        deployment.stop(stage.world, "taken")
    wanted = stage.wanted("taken", settings=Settings(fallback=("on-demand",)), max_price=0.06)
    with pytest.raises(NoAnswerError, match="no spot capacity was left"):
        deployment.up(stage.world, wanted)
    assert any("more than --max-price 0.06" in one.text for one in stage.of(Note)), "on-demand"
    stage.control.capacity("back")
    assert _up(stage, "taken", watch=True, fallback=()).instance_id == first.instance_id, (
        "EC2 started it"
    )

    moved = _watched(stage, first)
    assert (moved.market, moved.zone != first.zone, moved.url) == ("spot", True, first.url)
    assert [one.instance_id for one in stage.aws().find_instances("taken")] == [moved.instance_id]
    (volume,) = stage.aws().find_volumes("taken")
    assert (volume.zone, volume.attached_to) == (moved.zone, moved.instance_id)
    assert volume.volume_id != first.data_volume_id
    assert volume.snapshot_id, "it has what the old one had"
    assert stage.aws().find_snapshots("taken") == [], "gone with the old volume"
    deployment.down(stage.world, "taken", wish=Wish(data="delete"))
    assert stage.aws().leftovers("taken") == []
