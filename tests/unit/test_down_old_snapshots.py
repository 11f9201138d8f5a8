"""Which snapshots of before `down` removes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.ending import Scene, scene, write_state
from tests.unit.fleet import data_volume
from wrapper import deployment
from wrapper.aws import snapshots
from wrapper.deployment.take_down import Wish
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from wrapper.aws.model import SnapshotKind
    from wrapper.deployment.data import Choice

__all__ = ["scene"]  # a fixture, for pytest to find here


def _half_moved(scene: Scene) -> str:
    volume = scene.aws.volume(scene.live())
    assert volume is not None
    return scene.aws.create_snapshot(volume, scene.name, "move").snapshot_id


@pytest.mark.parametrize(
    ("choice", "left"),
    [("delete", []), ("keep", []), ("snapshot", ["final"])],
    ids=["deleted", "kept", "in a snapshot"],
)
def test_the_copy_of_a_move_that_never_ended_goes(
    scene: Scene, choice: Choice, left: list[str]
) -> None:
    copy = _half_moved(scene)
    done = deployment.down(scene.world, scene.name, wish=Wish(choice))
    assert [one.kind for one in scene.aws.find_snapshots(scene.name)] == left
    assert any(f"{copy} goes" in text for text in scene.texts())
    assert copy not in [one.id for one in done.kept]


def test_where_the_volume_is_lost_the_copy_of_a_move_stays(scene: Scene) -> None:
    copy = _half_moved(scene)
    record = scene.home.record()
    assert record is not None
    scene.aws.end_machines(scene.name)
    scene.aws.delete_volume(str(record.outputs["data_volume_id"]))
    write_state(scene.home.path, [])
    done = deployment.down(scene.world, scene.name)
    assert [one.id for one in done.kept] == [copy]


def _final_of(scene: Scene, kind: SnapshotKind = "final", gib: int = 1) -> str:
    volume_id = data_volume(scene.ec2, scene.name, gib=gib)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    made = scene.aws.create_snapshot(volume, scene.name, kind)
    scene.aws.delete_volume(volume_id)
    return made.snapshot_id


@pytest.mark.parametrize(("keep", "stay"), [(None, 5), (2, 2), (1, 1)])
def test_old_finals_go_by_count(scene: Scene, keep: int | None, stay: int) -> None:
    old = [_final_of(scene) for _ in range(6)]
    scene.live()
    deployment.down(scene.world, scene.name, wish=Wish("snapshot", keep))
    left = {one.snapshot_id for one in scene.finals()}
    assert len(left) == stay
    assert len(left - {*old}) == 1, "the one just made"
    gone = [text for text in scene.texts() if "goes: beyond the newest" in text]
    assert len(gone) == 7 - stay


def test_old_manual_ones_and_copies_go_by_a_count_of_their_own(scene: Scene) -> None:
    manual = {_final_of(scene, "manual") for _ in range(2)}  # EC2 tells the second
    last = _final_of(scene)
    scene.live()
    done = deployment.snapshot(scene.world, scene.name, manual_kept=2)
    left = {one.snapshot_id for one in scene.aws.find_snapshots(scene.name)}
    assert left >= {last, done.snapshot.id}
    (gone,) = manual - left
    assert any(gone in text and "beyond the newest 2" in text for text in scene.texts())
    deployment.down(scene.world, scene.name, wish=Wish("snapshot", manual_kept=1))


def test_no_snapshot_goes_that_is_manual_or_a_live_deployment_began_with(scene: Scene) -> None:
    pinned, plain = _final_of(scene), _final_of(scene)
    user = scene.another(f"{scene.name}-2")
    user.remember(None, None)
    user.home.write_variables({"data_snapshot_id": pinned})
    volume = scene.aws.volume(scene.live())
    assert volume is not None
    manual = scene.aws.create_snapshot(volume, scene.name, "manual").snapshot_id
    deployment.down(scene.world, scene.name, wish=Wish("snapshot", 1))
    left = {one.snapshot_id for one in scene.aws.find_snapshots(scene.name)}
    assert left >= {pinned, manual}
    assert plain not in left
    (user.home.path / "deployment.json").write_text("{")
    deployment.down(scene.world, scene.name, wish=Wish("snapshot", 1))
    assert any("No old snapshot is removed" in text for text in scene.texts())


def test_what_cannot_be_pruned_is_told_and_costs_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        _final_of(scene)
    scene.live()

    def fails(_: Any, snapshot_id: str) -> None:
        raise AwsError(f"{snapshot_id} is a part of an image and stays.", hint="")

    monkeypatch.setattr(snapshots, "delete", fails)
    deployment.down(scene.world, scene.name, wish=Wish("snapshot", 1))
    assert sum("a part of an image" in text for text in scene.texts()) == 2
