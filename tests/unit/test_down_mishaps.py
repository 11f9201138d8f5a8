"""What goes wrong in the middle of a `down`, and loses no data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.ending import Killed, Scene, scene
from tests.unit.fleet import data_volume, state
from wrapper import deployment
from wrapper.aws import snapshots
from wrapper.deployment.take_down import Wish
from wrapper.errors import AwsError, FailedError, TerraformError

if TYPE_CHECKING:
    from wrapper.deployment.data import Choice

__all__ = ["scene"]  # a fixture, for pytest to find here


def _wrong(**changes: Any) -> Any:
    whole = snapshots._described

    def described(raw: Any) -> Any:
        return replace(whole(raw), **changes)

    return described


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "error", "message": "Client.InvalidKmsKey"}, "failed: Client.InvalidKmsKey"),
        ({"gib": 1}, "1 GiB, not 50"),
        ({"volume_id": "vol-0123456789abcdef0"}, "is of vol-0123456789abcdef0"),
        ({"encrypted": False}, "not encrypted"),
    ],
    ids=["failed", "too small", "of another volume", "open"],
)
def test_a_snapshot_that_is_not_good_stops_everything(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    volume_id = scene.live()
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_described", _wrong(**changes))
        with pytest.raises(AwsError, match=said) as raised:
            deployment.down(scene.world, scene.name)
    assert "Nothing was destroyed" in raised.value.message
    assert "--data keep" in (raised.value.hint or "")
    machine = scene.home.record()
    assert machine is not None
    assert state(scene.ec2, str(machine.instance_id)) == "stopped"
    assert scene.aws.volume(volume_id) is not None
    deployment.down(scene.world, scene.name)
    assert scene.aws.leftovers(scene.name) == []


STEPS = 9
"""One more than the longest `down` has."""

WAYS: list[tuple[str, Choice]] = [
    ("on-demand", "snapshot"),
    ("one-time", "snapshot"),
    ("on-demand", "keep"),
]


@pytest.mark.parametrize(("market", "choice"), WAYS, ids=lambda value: value)
def test_killed_after_any_step_and_told_again_nothing_is_lost_or_taken_twice(
    scene: Scene, market: str, choice: Choice
) -> None:
    def life(step: int) -> str | None:
        one = scene.another(f"{scene.name}-{step}")
        volume_id = one.live(market)
        one.steps.kill_after = step
        try:
            deployment.down(one.world, one.name, wish=Wish(choice))
        except Killed as kill:
            where = str(kill)
        else:
            return None
        assert one.holding(volume_id), where
        one.steps.kill_after = None
        deployment.down(one.world, one.name)  # the default, as with --yes
        assert one.holding(volume_id), where
        assert one.aws.leftovers(one.name) == [], where
        assert len(one.finals()) <= 1, where
        if choice == "keep" and "release_volume" in one.steps.seen:
            assert one.aws.volume(volume_id) is not None, "the wish is carried on"
        return where

    with ThreadPoolExecutor(STEPS) as pool:
        killed_after = list(pool.map(life, range(1, STEPS + 1)))
    assert killed_after[-1] is None, "every step had its turn"
    assert "destroy" in killed_after


def test_a_machine_that_was_used_after_an_interrupted_down_gets_a_new_snapshot(
    scene: Scene,
) -> None:
    scene.live()
    scene.steps.kill_after = 3
    with pytest.raises(Killed, match="create_snapshot"):
        deployment.down(scene.world, scene.name)
    scene.steps.kill_after = None
    record = scene.home.record()
    assert record is not None
    scene.aws.start_instance(str(record.instance_id))
    deployment.down(scene.world, scene.name)
    assert len(scene.finals()) == 2


def test_a_machine_that_is_started_meanwhile_stops_everything(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume_id = scene.live()
    record = scene.home.record()
    assert record is not None
    whole = snapshots.wait_for

    def wait_for(*given: Any) -> Any:
        done = whole(*given)
        scene.aws.start_instance(str(record.instance_id))
        return done

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "wait_for", wait_for)
        with pytest.raises(AwsError, match="was started while"):
            deployment.down(scene.world, scene.name)
    assert scene.aws.volume(volume_id) is not None
    deployment.down(scene.world, scene.name)


def test_a_volume_that_a_strangers_machine_holds_is_left_alone(scene: Scene) -> None:
    machine = scene.machine("on-demand")
    other = scene.another(f"{scene.name}-2")
    volume_id = data_volume(scene.ec2, scene.name, other.machine("on-demand"))
    scene.remember(machine, volume_id)
    with pytest.raises(AwsError, match="is no machine of"):
        deployment.down(scene.world, scene.name)
    assert scene.steps.seen == []
    scene.aws.end_machines(other.name)
    deployment.down(scene.world, scene.name, wish=Wish("delete"))


def test_data_that_comes_to_light_late_is_not_removed_unasked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = scene.machine("on-demand")
    scene.remember(machine, None)
    volume_id = data_volume(scene.ec2, scene.name)
    # Not shown yet: describing is eventually consistent.
    with monkeypatch.context() as patch:
        patch.setattr(scene.aws, "find_volumes", lambda _: [])
        with pytest.raises(FailedError, match=f"{volume_id} holds data"):
            deployment.down(scene.world, scene.name)
    assert scene.aws.volume(volume_id) is not None
    deployment.down(scene.world, scene.name)
    assert [one.volume_id for one in scene.finals()] == [volume_id]


def test_a_terraform_that_cannot_forget_may_not_destroy(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume_id = scene.live()

    def fails(*_: Any) -> None:
        raise TerraformError("the state is damaged", hint="")

    monkeypatch.setattr("tests.unit.ending.StateOnly.forget", fails)
    done = deployment.down(scene.world, scene.name, wish=Wish("keep"))
    assert [one.id for one in done.kept] == [volume_id]
    assert "destroy" not in scene.steps.seen
    assert scene.aws.leftovers(scene.name) == []
