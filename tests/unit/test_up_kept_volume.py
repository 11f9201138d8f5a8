"""An `up` that takes a volume which was kept, or is the user's own; no Terraform is asked."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.unit.beginning import begin, kept_volume, settle, snapshot
from tests.unit.ending import Scene, scene
from tests.unit.fleet import data_volume
from wrapper.deployment import origins, restoring
from wrapper.deployment.origins import Origin
from wrapper.errors import RequestError
from wrapper.settings import Settings

__all__ = ["scene"]  # a fixture, for pytest to find here


def test_a_kept_volume_is_found_told_and_pinned_in_its_zone(scene: Scene) -> None:
    snapshot(scene)
    volume_id = kept_volume(scene)
    origin, asked = begin(scene)
    assert origin.volume is not None
    assert (origin.volume.volume_id, origin.volume.zone) == (volume_id, "us-east-1a")
    assert "kept since" in (origin.words or "")
    assert origin.taken_over == volume_id
    assert asked == Settings(data_volume_size=50), "Terraform manages it as any other"
    time.sleep(1)  # EC2 tells the second
    # Kept earlier than the next snapshot was taken: that one has the later work.
    scene.ec2.create_tags(
        Resources=[volume_id],
        Tags=[{"Key": "jupyter-clouds:kept-at", "Value": "2020-01-01T00:00:00+00:00"}],
    )
    later = snapshot(scene)
    assert begin(scene)[1].data_snapshot_id == later.snapshot_id
    assert any(f"{volume_id} is kept too, and not used" in text for text in scene.texts())
    scene.aws.delete_volume(volume_id)


def test_of_a_kept_volume_and_its_own_snapshot_the_volume_is_taken(scene: Scene) -> None:
    volume_id = kept_volume(scene)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    scene.aws.create_snapshot(volume, scene.name, "manual")
    assert begin(scene)[0].taken_over == volume_id
    scene.aws.delete_volume(volume_id)


@pytest.mark.parametrize("why", ["named", "not encrypted", "somebody else's"])
def test_a_kept_volume_is_only_adopted_when(scene: Scene, why: str) -> None:
    volume_id = kept_volume(scene)
    volume = scene.aws.volume(volume_id)
    assert volume
    origin = Origin(
        volume=replace(volume, encrypted=why != "not encrypted"),
        named=why == "named",
        ours=why != "somebody else's",
    )
    assert origin.taken_over is None
    assert restoring.pin(Settings(), origin).data_volume_id == volume_id
    scene.aws.delete_volume(volume_id)


def test_what_is_adopted_is_a_part_of_the_deployment_again(scene: Scene) -> None:
    volume_id = kept_volume(scene)
    settle(scene, *begin(scene))
    assert [one.id for one in scene.aws.leftovers(scene.name)] == [volume_id]
    scene.aws.delete_volume(volume_id)


def test_a_volume_of_the_users_own_is_taken_and_never_tagged(scene: Scene) -> None:
    foreign = data_volume(scene.ec2, f"{scene.name}-2")
    asked = Settings(data_volume_id=foreign)
    with pytest.raises(RequestError, match=f"a part of the deployment {scene.name}-2"):
        begin(scene, asked)
    scene.aws.release_volume(foreign, f"{scene.name}-2")
    origin, pinned = begin(scene, asked)
    assert not origin.ours
    settle(scene, origin, pinned)
    assert scene.steps.seen == []
    scene.aws.delete_volume(foreign)


@pytest.mark.parametrize(
    ("ours", "named", "fallback", "told"),
    [
        (True, True, ("zone",), "python -m wrapper down x, then python -m wrapper up x"),
        (False, True, ("zone",), "python -m wrapper snapshot x; python -m wrapper down x, then"),
        (True, False, ("zone",), None),
        (True, True, ("on-demand",), None),
    ],
    ids=["kept and named", "the user's own", "taken over", "no other zone allowed"],
)
def test_that_an_adopted_volume_never_leaves_its_zone_is_told_with_what_does(
    scene: Scene, told: str | None, fallback: tuple[str, ...], *, ours: bool, named: bool
) -> None:
    volume_id = kept_volume(scene)
    volume = scene.aws.volume(volume_id)
    assert volume
    asked = Settings(spot=True, fallback=fallback)
    origin = Origin(volume=volume, ours=ours, named=named)
    origins.say_where_it_stays(scene.world, origin, asked, "x")
    texts = [text for text in scene.texts() if "never leaves us-east-1a" in text]
    assert (len(texts) == 1 and told in texts[0]) if told else not texts
    origins.say_where_it_stays(scene.world, Origin(), asked, "x")
    assert len(texts) == len([text for text in scene.texts() if "never leaves" in text])
    scene.aws.delete_volume(volume_id)


def test_only_what_stays_in_its_zone_is_refused_elsewhere(scene: Scene) -> None:
    volume = scene.aws.volume(kept_volume(scene))
    assert volume
    asked = Settings(subnet_id="subnet-b")
    adopted = Origin(volume=volume, named=True)
    with pytest.raises(
        RequestError, match=r"b is in us-east-1b, and vol-\w+, which .* in us-east-1a"
    ):
        origins.refuse_elsewhere(adopted, asked, ["us-east-1b"], "x")
    origins.refuse_elsewhere(adopted, asked, ["us-east-1a"], "x")
    origins.refuse_elsewhere(adopted, Settings(), ["us-east-1b"], "x")
    origins.refuse_elsewhere(Origin(volume=volume), asked, ["us-east-1b"], "x")
    scene.aws.delete_volume(volume.volume_id)


def test_a_volume_in_use_is_refused(scene: Scene) -> None:
    machine = scene.machine("on-demand")
    volume_id = data_volume(scene.ec2, scene.name, machine)
    for asked in (Settings(), Settings(data_volume_id=volume_id)):
        with pytest.raises(RequestError, match=f"{volume_id} is in use: {machine} holds it"):
            begin(scene, asked)
    scene.aws.end_machines(scene.name)
    scene.aws.delete_volume(volume_id)
