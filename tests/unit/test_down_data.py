"""What becomes of the data at `down`; Terraform is only its state file, machines are imaginary."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.ending import Scene, scene, write_state
from tests.unit.fleet import data_volume
from wrapper import deployment
from wrapper.deployment.take_down import Wish
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.aws import SpotRequest

__all__ = ["scene"]  # a fixture, for pytest to find here


@pytest.mark.parametrize("market", ["on-demand", "persistent", "one-time"])
def test_a_final_snapshot_is_taken_of_a_volume_at_rest(scene: Scene, market: str) -> None:
    volume_id = scene.live(market)
    done = deployment.down(scene.world, scene.name)
    (taken,) = scene.finals()
    assert (taken.volume_id, taken.state, taken.gib) == (volume_id, "completed", 50)
    assert scene.aws.volume(volume_id) is None
    assert scene.aws.leftovers(scene.name) == []
    assert [(one.kind, one.id) for one in done.kept] == [("snapshot", taken.snapshot_id)]
    assert done.kept[0].words == f"{taken.snapshot_id}, 50 GiB, about $2.50 a month"
    at_rest = "end_machines" if market == "one-time" else "stop_instance"
    assert scene.steps.seen.index(at_rest) < scene.steps.seen.index("create_snapshot")
    verified = scene.steps.seen.index("wait_for_snapshot")
    assert verified < scene.steps.seen.index("destroy")
    if market != "one-time":
        assert verified < scene.steps.seen.index("end_machines"), "nothing is ended before"
    assert deployment.down(scene.world, scene.name).kept == done.kept, "told again"


def test_a_machine_that_ec2_would_start_again_is_ended_before_its_snapshot(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.live("persistent")
    look = scene.aws.spot_request

    def interrupted(request_id: str) -> SpotRequest | None:
        found = look(request_id)
        assert found
        return replace(found, state="disabled", status="instance-stopped-no-capacity")

    monkeypatch.setattr(scene.aws, "spot_request", interrupted)
    deployment.down(scene.world, scene.name)
    assert "stop_instance" not in scene.steps.seen
    assert scene.steps.seen.index("end_machines") < scene.steps.seen.index("create_snapshot")
    assert len(scene.finals()) == 1


@pytest.mark.parametrize("adopted", [False, True], ids=["managed", "adopted"])
def test_a_kept_volume_stays_as_it_is(scene: Scene, *, adopted: bool) -> None:
    volume_id = scene.live(adopted=adopted)
    done = deployment.down(scene.world, scene.name, wish=Wish("keep"))
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    assert (volume.state, volume.deployment, volume.data_of) == ("available", None, scene.name)
    assert scene.aws.leftovers(scene.name) == []
    assert scene.finals() == []
    assert [(one.id, one.monthly_price) for one in done.kept] == [(volume_id, 4.0)]
    again = deployment.down(scene.world, scene.name)
    assert (again.kept, again.removed) == (done.kept, ())


@pytest.mark.parametrize("adopted", [False, True], ids=["managed", "adopted"])
def test_data_is_deleted_only_when_that_was_said_twice(scene: Scene, *, adopted: bool) -> None:
    volume_id = scene.live(adopted=adopted)
    scene.answer, scene.agrees = "delete", [True, False]
    with pytest.raises(UsageError, match="Nothing was ended"):
        deployment.down(scene.world, scene.name)
    assert scene.steps.seen == []
    scene.asked.clear()
    done = deployment.down(scene.world, scene.name)
    assert "is DELETED" in scene.asked[1]
    assert "gone for ever, and no snapshot" in scene.asked[2]
    assert (scene.aws.volume(volume_id), scene.finals(), done.kept) == (None, [], ())


def test_a_no_ends_nothing(scene: Scene) -> None:
    scene.live()
    scene.agrees = [False]
    with pytest.raises(UsageError, match="Nothing was ended"):
        deployment.down(scene.world, scene.name)
    assert scene.steps.seen == []
    for words in ("[snapshot", "What becomes of it", "about $2.50", "about $4.00"):
        assert words.lstrip("[") in scene.asked[0]
    deployment.down(scene.world, scene.name, wish=Wish("delete"))


def test_where_no_data_is_nothing_is_asked_of_it(scene: Scene) -> None:
    machine = scene.machine("on-demand")
    scene.remember(machine, None)
    done = deployment.down(scene.world, scene.name, wish=Wish("keep"))
    assert len(scene.asked) == 1
    assert (done.kept, "stop_instance" in scene.steps.seen) == ((), False)


def test_a_volume_of_the_users_own_is_let_go_of_and_named(scene: Scene) -> None:
    machine = scene.machine("on-demand")
    foreign = data_volume(scene.ec2, "somebody-else", machine)
    scene.remember(machine, foreign)
    done = deployment.down(scene.world, scene.name, wish=Wish("delete"))
    assert len(scene.asked) == 1
    assert any(f"{foreign} is yours" in text for text in scene.texts())
    left = scene.aws.volume(foreign)
    assert left is not None
    assert (left.state, done.kept, done.left) == ("available", (), ())
    scene.aws.delete_volume(foreign)


def test_tags_are_enough_where_the_state_is_lost(scene: Scene) -> None:
    volume_id = scene.live()
    shutil.rmtree(scene.home.path)
    done = deployment.down(scene.world, scene.name, local=True)
    assert [one.volume_id for one in scene.finals()] == [volume_id]
    assert scene.aws.leftovers(scene.name) == []
    assert [one.kind for one in done.kept] == ["snapshot"]


def test_a_volume_without_a_machine_is_asked_about_too(scene: Scene) -> None:
    volume_id = data_volume(scene.ec2, scene.name)
    scene.remember(None, None)
    write_state(scene.home.path, [volume_id])
    deployment.down(scene.world, scene.name)
    assert [one.volume_id for one in scene.finals()] == [volume_id]


def test_a_volume_whose_tags_are_gone_is_known_by_the_state(scene: Scene) -> None:
    volume_id = scene.live()
    keys = [{"Key": "jupyter-clouds:data-of"}, {"Key": "jupyter-clouds:deployment"}]
    scene.ec2.delete_tags(Resources=[volume_id], Tags=keys)  # type: ignore[arg-type] # keys alone are enough
    deployment.down(scene.world, scene.name)
    assert [one.volume_id for one in scene.finals()] == [volume_id]


def test_forgetting_comes_before_destroying(scene: Scene) -> None:
    volume_id = scene.live()
    deployment.down(scene.world, scene.name, wish=Wish("keep"))
    seen = scene.steps.seen
    assert seen.index("release_volume") < seen.index("forget") < seen.index("destroy")
    assert not (scene.home.path / "terraform.tfstate").exists()
    assert scene.aws.volume(volume_id) is not None
