"""The data volume that is made before Terraform runs, and what becomes of it; no Terraform here."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.ending import Scene, read_state, scene, write_state
from tests.unit.fleet import data_volume
from wrapper.deployment import volume_first
from wrapper.errors import AwsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["scene"]  # a fixture, for pytest to find here


@pytest.fixture(autouse=True)
def _tidy(scene: Scene) -> Iterator[None]:
    scene.home.create()
    yield
    for one in scene.aws.find_volumes(scene.name):
        scene.aws.delete_volume(one.volume_id)


def ready(scene: Scene, *, fresh: bool = True) -> Any:
    candidates = (SimpleNamespace(zone="us-east-1b"),)
    facts = SimpleNamespace(architecture="arm64")
    way = SimpleNamespace(aws=scene.aws)
    return SimpleNamespace(way=way, fresh=fresh, candidates=candidates, facts=facts)


def block(scene: Scene) -> Path:
    return scene.home.path / "import.tf"


def tags_of(scene: Scene, volume_id: str) -> dict[str, str]:
    found = scene.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    return {one["Key"]: one["Value"] for one in found["Tags"]}


def test_it_is_made_as_the_module_would_make_it_and_named_for_terraform(scene: Scene) -> None:
    said = {"data_volume_size": 7, "owner": "ada", "tags": {"team": "blue"}}
    scene.home.write_variables(said)
    with volume_first.made(scene.world, scene.home, ready(scene)) as volume_id:
        assert volume_id
        found = scene.aws.volume(volume_id)
        assert found
        assert (found.gib, found.zone, found.encrypted) == (7, "us-east-1b", True)
        assert tags_of(scene, volume_id) == {
            "Name": f"jupyter-clouds-{scene.name}",
            "jupyter-clouds:architecture": "arm64",
            "jupyter-clouds:data-of": scene.name,
            "jupyter-clouds:deployment": scene.name,
            "jupyter-clouds:owner": "ada",
            "team": "blue",
        }
        assert f'"{volume_id}"' in block(scene).read_text()
        write_state(scene.home.path, [volume_id])
    assert scene.aws.volume(volume_id)
    assert not block(scene).exists()


def test_it_begins_with_the_snapshot_that_is_pinned(scene: Scene) -> None:
    old = scene.aws.volume(data_volume(scene.ec2, scene.name, gib=3))
    assert old
    taken = scene.aws.create_snapshot(old, scene.name, "final").snapshot_id
    scene.aws.wait_for_snapshot(taken, lambda _: None)
    scene.aws.delete_volume(old.volume_id)
    scene.home.write_variables({"data_snapshot_id": taken, "data_volume_size": 3})
    with volume_first.made(scene.world, scene.home, ready(scene)) as volume_id:
        found = scene.aws.volume(volume_id or "")
        assert found
        assert (found.snapshot_id, found.gib) == (taken, 3)
    scene.aws.delete_snapshot(taken)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError])
def test_what_terraform_did_not_take_over_is_gone(
    scene: Scene, error: type[BaseException] | None
) -> None:
    made: list[str | None] = []
    expected = pytest.raises(error) if error else nullcontext()
    with expected, volume_first.made(scene.world, scene.home, ready(scene)) as volume_id:
        made.append(volume_id)
        if error:
            raise error
    assert scene.aws.volume(made[0] or "") is None
    assert not block(scene).exists()


def test_what_could_not_be_deleted_is_told_and_waits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: str) -> None:
        raise AwsError("You are not authorized.", hint="")

    one = ready(scene)
    with monkeypatch.context() as there:
        there.setattr(scene.aws, "delete_volume", refused)
        expected = pytest.raises(UsageError)
        with expected, volume_first.made(scene.world, scene.home, one) as volume_id:
            raise UsageError("refused", hint="")
    (told,) = [text for text in scene.texts() if str(volume_id) in text]
    assert f"is left, and costs money. End it: python -m wrapper down {scene.name}" in told
    assert volume_first.waiting(scene.home) == volume_id


@pytest.mark.parametrize(
    ("said", "fresh"),
    [
        pytest.param({"data_volume_size": 0}, True, id="none is wanted"),
        pytest.param({"data_volume_id": "vol-0123456789abcdef0"}, True, id="one is adopted"),
        pytest.param({}, False, id="what is planned is asked first"),
    ],
)
def test_none_is_made(scene: Scene, said: dict[str, Any], *, fresh: bool) -> None:
    scene.home.write_variables(said)
    with volume_first.made(scene.world, scene.home, ready(scene, fresh=fresh)) as volume_id:
        assert volume_id is None
    assert scene.aws.find_volumes(scene.name) == []


def test_none_is_made_beside_the_one_that_terraform_has(scene: Scene) -> None:
    write_state(scene.home.path, ["vol-0123456789abcdef0"])
    with volume_first.made(scene.world, scene.home, ready(scene)) as volume_id:
        assert volume_id is None
    assert read_state(scene.home.path)


def test_what_ec2_refuses_is_left_to_terraform_to_tell(scene: Scene) -> None:
    scene.home.write_variables({"data_snapshot_id": "snap-0123456789abcdef0"})
    with volume_first.made(scene.world, scene.home, ready(scene)) as volume_id:
        assert volume_id is None
        assert not block(scene).exists()


def test_what_a_killed_up_has_made_is_taken_over(scene: Scene) -> None:
    volume_id = data_volume(scene.ec2, scene.name)
    volume_first.take_over(ready(scene).way, scene.home)
    assert f'"{volume_id}"' in block(scene).read_text()


def test_a_volume_that_the_data_has_left_is_in_nobodys_way(scene: Scene) -> None:
    left, made = (data_volume(scene.ec2, scene.name) for _ in "ab")
    volume_first.take_over(ready(scene).way, scene.home, left=[left])
    assert volume_first.waiting(scene.home) == made


@pytest.mark.parametrize("how", ["kept", "ending", "managed", "one of two", "gone", "not wanted"])
def test_nothing_else_is_taken_over(scene: Scene, how: str) -> None:
    block(scene).write_text("of an earlier up")
    volume_id = data_volume(scene.ec2, scene.name)
    if how == "kept":
        scene.aws.release_volume(volume_id, scene.name)
    elif how == "ending":
        scene.aws.mark_ending(volume_id, "a mark")
    elif how == "managed":
        write_state(scene.home.path, [volume_id])
    elif how == "one of two":
        data_volume(scene.ec2, scene.name)
    elif how == "gone":
        scene.aws.delete_volume(volume_id)
    else:
        scene.home.write_variables({"data_volume_size": 0})
    volume_first.take_over(ready(scene).way, scene.home)
    assert not block(scene).exists()


def test_a_kept_volume_waits_until_terraform_has_taken_it_over(scene: Scene) -> None:
    volume_id = data_volume(scene.ec2, scene.name)
    scene.aws.release_volume(volume_id, scene.name)
    volume_first.take_over(ready(scene).way, scene.home, volume_id)
    one = ready(scene)
    for error in (KeyboardInterrupt, RuntimeError):
        with suppress(error), volume_first.made(scene.world, scene.home, one) as made:
            assert made is None, "none beside it"
            raise error
        assert volume_first.waiting(scene.home) == volume_id
        assert scene.aws.volume(volume_id)
    with volume_first.made(scene.world, scene.home, one):
        write_state(scene.home.path, [volume_id])
    assert volume_first.waiting(scene.home) is None
