"""What the data of an `up` begins with; machines are imaginary, and no Terraform is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.beginning import begin, kept_volume, settle, snapshot, wanted
from tests.unit.conftest import QUICK
from tests.unit.ending import PLACE, Scene, scene
from wrapper.aws import Aws, Request
from wrapper.data_settings import NO_DATA
from wrapper.deployment import its_architecture
from wrapper.deployment.place import Way
from wrapper.errors import RequestError, SettingsError
from wrapper.home import Record
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.aws import Snapshot

__all__ = ["scene"]  # a fixture, for pytest to find here

WEST = "us-west-2"


def test_where_nothing_is_kept_it_begins_empty(scene: Scene) -> None:
    origin, asked = begin(scene)
    assert (origin.volume, origin.snapshot, origin.words) == (None, None, None)
    assert asked == Settings()


def test_the_newest_snapshot_is_found_told_and_pinned(scene: Scene) -> None:
    snapshot(scene)
    time.sleep(1)  # EC2 tells the second
    newest = snapshot(scene, gib=80, kind="manual")
    origin, asked = begin(scene)
    day = newest.started_at.date()
    assert origin.words == f"restores {newest.snapshot_id} of {day}, 80 GiB"
    assert asked == Settings(data_snapshot_id=newest.snapshot_id, data_volume_size=80)


@pytest.mark.parametrize(
    "asked", [Settings(data_snapshot_id=NO_DATA), Settings(data_volume_size=0)], ids=["fresh", "0"]
)
def test_it_begins_empty_when_that_was_said_and_tells_what_it_passes_over(
    scene: Scene, asked: Settings
) -> None:
    found = snapshot(scene)
    origin, pinned = begin(scene, asked)
    assert (origin.words, pinned) == (None, asked)
    assert f"{found.snapshot_id} is kept, and not used" in scene.texts()
    assert "data_snapshot_id" not in pinned.variables(name="x", generation=1)


@pytest.mark.parametrize("its", [None, "arm64", "x86_64"])
def test_environments_begin_on_the_architecture_that_they_run_on(
    scene: Scene, its: str | None
) -> None:
    """Data of before there were tags is taken as it is."""
    volume_id = kept_volume(scene, architecture=its)
    way = Way(PLACE, scene.world.aws(environment={}, region=None), scene.account.environment)
    facts = way.aws.check_request(Request(instance_type="t3.large", spot=False))
    origin, _ = begin(scene)
    if its != "arm64":
        its_architecture.refuse_for(scene.world, origin, wanted(scene), facts)
    else:
        with pytest.raises(RequestError, match=f"{volume_id} has environments of arm64") as raised:
            its_architecture.refuse_for(scene.world, origin, wanted(scene), facts)
        assert "--fresh-data" in (raised.value.hint or "")
        asked = Settings(data_volume_id=volume_id)
        origin, _ = begin(scene, asked, settings=asked)
        its_architecture.refuse_for(scene.world, origin, wanted(scene, settings=asked), facts)
        assert any("would not run on it" in text for text in scene.texts()), "told, and taken"
    scene.aws.delete_volume(volume_id)


def test_a_volume_is_never_smaller_than_what_is_restored_to_it(scene: Scene) -> None:
    snapshot(scene, gib=80)
    with pytest.raises(SettingsError, match="--data-size 50 is less than the 80 GiB"):
        begin(scene, Settings(data_volume_size=50))
    assert begin(scene, Settings(data_volume_size=100))[1].data_volume_size == 100
    volume_id = kept_volume(scene, gib=80)
    with pytest.raises(SettingsError, match=f"--data-size 60: {volume_id} has 80 GiB"):
        begin(scene, Settings(data_volume_size=60))
    for size in (None, 80, 100):
        origin, pinned = begin(scene, Settings(data_volume_size=size))
        assert (origin.taken_over, pinned.data_volume_size) == (volume_id, size or 80)
    with pytest.raises(SettingsError, match=f"{volume_id} has 80 GiB") as raised:
        begin(scene, Settings(data_volume_id=volume_id, data_volume_size=100))
    assert "modify-volume" in (raised.value.hint or "")
    scene.aws.delete_volume(volume_id)


def test_a_snapshot_of_ones_choice_is_taken(scene: Scene) -> None:
    old, _ = snapshot(scene), snapshot(scene)
    assert begin(scene, Settings(data_snapshot_id=old.snapshot_id))[0].snapshot == old


BAD: list[tuple[dict[str, Any], str]] = [
    ({"data_snapshot_id": "snap-0123456789abcdef0"}, "has no snapshot snap-0123456789abcdef0"),
    ({"data_volume_id": "vol-0123456789abcdef0"}, "has no volume vol-0123456789abcdef0"),
]


@pytest.mark.parametrize(("asked", "said"), BAD, ids=["snapshot", "volume"])
def test_what_does_not_exist_is_refused(scene: Scene, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        begin(scene, Settings(**asked))


def test_a_failed_snapshot_is_refused_and_a_pending_one_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = snapshot(scene)
    asked = Settings(data_snapshot_id=one.snapshot_id)
    failed = replace(one, state="error", message="Client.InvalidKmsKey")
    monkeypatch.setattr(scene.aws, "snapshot", lambda _: failed)
    with pytest.raises(RequestError, match=r"its state is error \(Client.InvalidKmsKey\)"):
        begin(scene, asked)
    monkeypatch.setattr(scene.aws, "snapshot", lambda _: replace(one, state="pending", percent=3))
    origin, pinned = begin(scene, asked)
    ready = settle(scene, origin, pinned)
    assert "wait_for_snapshot" in scene.steps.seen
    assert scene.home.variables()["data_snapshot_id"] == one.snapshot_id
    assert ready.record.settings["data_snapshot_id"] == one.snapshot_id


def _in_the_west(scene: Scene) -> tuple[Scene, Snapshot]:
    west = scene.another(scene.name)
    west.ec2 = scene.account.client(WEST)
    west.aws = Aws(environment=scene.account.environment, region=WEST, pace=QUICK)
    volume_id = west.ec2.create_volume(AvailabilityZone=f"{WEST}a", Size=7, Encrypted=True)
    volume = west.aws.volume(volume_id["VolumeId"])
    assert volume is not None
    made = west.aws.create_snapshot(volume, scene.name, "final")
    return west, west.aws.wait_for_snapshot(made.snapshot_id, lambda _: None)


def test_a_snapshot_of_another_region_is_copied_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, there = _in_the_west(scene)
    world = replace(scene.world, aws=lambda **how: (west if how["region"] == WEST else scene).aws)
    monkeypatch.setattr(Scene, "world", world)
    for asked in (Settings(data_snapshot_id=there.snapshot_id), Settings()):
        origin, pinned = begin(scene, asked, from_region=WEST)
        assert (origin.words or "").endswith(f"7 GiB, copied from {WEST}")
        assert (pinned.data_snapshot_id, pinned.data_volume_size) == (None, 7)
        ready = settle(scene, origin, pinned)
        (copy,) = scene.aws.find_snapshots(scene.name)
        assert ready.record.settings["data_snapshot_id"] == copy.snapshot_id
        assert (copy.copy_of, copy.gib, copy.state) == (there.snapshot_id, 7, "completed")
        assert copy.encrypted
    with pytest.raises(RequestError, match="has no completed snapshot"):
        begin(scene.another(f"{scene.name}-2"), from_region=WEST)


def test_data_in_the_region_of_before_is_not_forgotten_silently(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, there = _in_the_west(scene)
    world = replace(scene.world, aws=lambda **how: (west if how["region"] == WEST else scene).aws)
    monkeypatch.setattr(Scene, "world", world)
    before = Record(scene.name, replace(PLACE, region=WEST), ended=True)
    assert begin(scene, before=before)[0].words is None
    (text,) = scene.texts()
    assert there.snapshot_id in text
    assert f"--from-region {WEST}" in text
