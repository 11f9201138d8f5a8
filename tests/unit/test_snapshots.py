"""Snapshots that are asked for, listed and deleted; machines are imaginary."""

from __future__ import annotations

import pytest

from tests.unit.beginning import snapshot
from tests.unit.ending import Scene, scene
from wrapper import deployment
from wrapper.deployment.take_down import Wish
from wrapper.errors import UsageError

__all__ = ["scene"]  # a fixture, for pytest to find here


def test_a_snapshot_now_and_the_list_of_them(scene: Scene) -> None:
    volume_id = scene.live()
    done = deployment.snapshot(scene.world, scene.name)
    assert (done.shows, done.snapshot.taken, done.snapshot.gib) == (
        "crash-consistent",
        "manual",
        50,
    )
    record = scene.home.record()
    assert record is not None
    scene.aws.stop_instance(str(record.instance_id))
    assert deployment.snapshot(scene.world, scene.name).shows == "clean"
    found = deployment.snapshots(scene.world, scene.name)
    assert (len(found.snapshots), found.volumes, found.monthly_price) == (2, (), 5.0)
    deployment.down(scene.world, scene.name, wish=Wish("keep"))
    assert [one.id for one in deployment.snapshots(scene.world, scene.name).volumes] == [volume_id]
    # Of what is kept, too: the way out of its zone.
    assert deployment.snapshot(scene.world, scene.name).shows == "clean"
    for one in (*found.snapshots, found.snapshots[0]):
        if one in deployment.snapshots(scene.world, scene.name).snapshots:
            deployment.delete_kept(scene.world, scene.name, one.id)
        else:
            with pytest.raises(UsageError, match="no snapshot and no kept volume"):
                deployment.delete_kept(scene.world, scene.name, one.id)
    scene.aws.delete_volume(volume_id)


def test_a_snapshot_that_is_in_use_or_wanted_is_not_deleted(scene: Scene) -> None:
    one = snapshot(scene)
    user = scene.another(f"{scene.name}-2")
    user.remember(None, None)
    user.home.write_variables({"data_snapshot_id": one.snapshot_id})
    with pytest.raises(UsageError, match=f"what {user.name} began with"):
        deployment.delete_kept(
            scene.world, scene.name, one.snapshot_id, deployment.Where(local=True)
        )
    user.home.write_variables({})
    scene.agrees = [False]
    with pytest.raises(UsageError, match="stays"):
        deployment.delete_kept(
            scene.world, scene.name, one.snapshot_id, deployment.Where(local=True)
        )
    assert scene.aws.snapshot(one.snapshot_id) is not None


def test_where_there_is_no_volume_there_is_no_snapshot(scene: Scene) -> None:
    with pytest.raises(UsageError, match="has no data volume"):
        deployment.snapshot(scene.world, scene.name, deployment.Where(local=True))
