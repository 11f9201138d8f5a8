"""A spot machine's life after its launch, with a real Terraform against the EC2 API.

No machine boots (its console says at once what a booted one says), and connections to its address
are led to the Jupyter of the test.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.module.stage import Stage, pytestmark, stage
from tests.unit.conftest import jupyter
from wrapper import deployment
from wrapper.aws import Request
from wrapper.deployment import Wish, bringing_back, coming_back, staying
from wrapper.deployment.events import Note
from wrapper.errors import FailedError, NoAnswerError, RefusedError
from wrapper.local.api.capacity import Capacity
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.deployment.answering import Up
    from wrapper.deployment.summary import Summary

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here

TYPE = "t3.large"
MOST_TRIES = 12
"""Launches until a refusal is told; the provider, left alone, tries 25 (docs/gotchas.md)."""


def _up(stage: Stage, name: str, *, watch: bool = False, **asked: Any) -> Summary:
    settings = Settings(**asked)
    return deployment.up(stage.world, stage.wanted(name, settings=settings, watch=watch)).summary


def test_where_a_zone_has_no_capacity_the_next_is_tried_and_stays_chosen(stage: Stage) -> None:
    stage.control.capacity("none", instance_type=TYPE, market="spot")
    with pytest.raises(RefusedError, match="no spot capacity") as raised:
        _up(stage, "first", spot=True, data_volume_size=1)
    assert raised.value.exit_code == 1
    requests = stage.aws().find_spot_requests("first")
    assert {one.state for one in requests} == {"cancelled"}, "nothing is left open"

    subnets = stage.aws().check_request(Request(TYPE, spot=True)).subnets
    first, *_ = sorted(subnets, key=lambda zone: subnets[zone])  # where the module puts it
    stage.control.capacity("back")
    stage.control.capacity("none", zone=first, market="spot")
    asked: dict[str, Any] = {"spot": True, "fallback": ("zone",), "data_volume_size": 1}
    made = _up(stage, "first", **asked)
    assert (made.market, made.zone != first) == ("spot", True)
    (volume,) = stage.aws().find_volumes("first")
    assert (volume.zone, volume.untouched) == (made.zone, False)
    assert stage.aws().find_snapshots("first") == [], "no machine had been on it"
    assert any(f"in {first}: there is no spot capacity" in one.text for one in stage.of(Note))
    assert _up(stage, "first", **asked).instance_id == made.instance_id, "nothing to do"
    assert len(stage.aws().find_instances("first")) == 1
    deployment.down(stage.world, "first", wish=Wish(data="delete"))
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
    with pytest.raises(FailedError, match="Only cancelling its request keeps it down"):
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


REFUSALS = {
    "VcpuLimitExceeded": (False, "the account's quota of on-demand vCPUs is used up", "--spot"),
    "MaxSpotInstanceCountExceeded": (True, "quota of spot vCPUs is used up", "--on-demand"),
    "InsufficientInstanceCapacity": (False, "there is no capacity for it now", "--fallback zone"),
    "price-too-low": (True, "the spot price is above the highest", "--fallback zone"),
}
"""By code: of which market, in which words, and what helps."""


def _refuse(stage: Stage, code: str) -> None:
    control = stage.control
    control.quota("on-demand", 1 if code == "VcpuLimitExceeded" else None)
    control.quota("spot", 1 if code == "MaxSpotInstanceCountExceeded" else None)
    lacks = code == "InsufficientInstanceCapacity"
    control.capacity("none" if lacks else "back", market="on-demand")
    if code == "price-too-low":
        control.price(TYPE, "99")


def test_each_refusal_has_its_words_and_is_not_asked_for_again_and_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    whole = Capacity.check_quota

    def counted(capacity: Capacity, kind: str, *given: Any, **more: Any) -> None:
        asked.append(kind)
        whole(capacity, kind, *given, **more)

    monkeypatch.setattr(Capacity, "check_quota", counted)
    for code, (spot, words, helps) in REFUSALS.items():
        _refuse(stage, code)
        asked.clear()
        with pytest.raises(RefusedError, match=words) as raised:
            _up(stage, "refused", spot=spot, data_volume_size=0)
        assert raised.value.code == code
        assert helps in (raised.value.hint or "")
        assert len(asked) < MOST_TRIES, f"{code}: {len(asked)} tries"
    assert stage.aws().find_instances("refused") == []
    deployment.down(stage.world, "refused")
    assert stage.aws().leftovers("refused") == []
