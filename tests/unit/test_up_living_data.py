"""The data of a deployment that lives, or half does, at the next `up`; no Terraform is asked."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.beginning import begin, kept_volume, settle, snapshot, wanted
from tests.unit.ending import PLACE, Killed, Scene, read_state, scene, write_state
from tests.unit.fleet import data_volume
from wrapper import deployment
from wrapper.aws import Request
from wrapper.aws.model import DATA_TAG, DEPLOYMENT_TAG
from wrapper.deployment import restoring, volume_first
from wrapper.deployment.place import Way
from wrapper.deployment.take_down import Wish
from wrapper.errors import SettingsError, TerraformError, UsageError
from wrapper.home import Record
from wrapper.settings import Settings
from wrapper.terraform import Change, Plan, state

__all__ = ["scene"]  # a fixture, for pytest to find here


def test_a_living_deployment_keeps_its_data_whatever_is_asked(scene: Scene) -> None:
    scene.live()
    before = scene.home.record()
    assert before is not None
    newer = snapshot(scene)
    origin, asked = begin(scene, Settings(data_snapshot_id=newer.snapshot_id), before)
    assert (origin.words, asked) == (None, Settings())
    assert any("stays as it is" in text for text in scene.texts())
    deployment.down(scene.world, scene.name, wish=Wish("delete"))


@pytest.mark.parametrize(
    ("remembered", "asked", "told"),
    [
        (50, 60, None),
        (60, 60, None),
        (None, None, None),
        (50, 50, "has grown outside, to 60 GiB"),
        (None, None, "has grown outside, to 60 GiB"),
    ],
    ids=["grows", "as it is", "of the default size", "enlarged outside", "likewise, by default"],
)
def test_a_living_volume_has_the_size_that_is_asked_for_or_its_own(
    scene: Scene, remembered: int | None, asked: int | None, told: str | None
) -> None:
    volume_id = scene.live()
    if told or remembered == 60:
        scene.ec2.modify_volume(VolumeId=volume_id, Size=60)
    before = scene.home.record()
    assert before is not None
    settings = {} if remembered is None else {"data_volume_size": remembered}
    before = replace(before, settings=settings, outputs={"data_volume_id": volume_id})
    _, pinned = begin(scene, Settings(data_volume_size=asked), before)
    assert pinned.data_volume_size == (60 if told else asked)
    assert (told is None) == (not any("grown outside" in text for text in scene.texts()))
    deployment.down(scene.world, scene.name, wish=Wish("delete"))


def test_a_living_volume_never_becomes_smaller(scene: Scene) -> None:
    volume_id = scene.live()
    before = scene.home.record()
    assert before is not None
    before = replace(before, outputs={"data_volume_id": volume_id})
    with pytest.raises(SettingsError, match=f"{volume_id} has 50 GiB, and a volume never") as why:
        begin(scene, Settings(data_volume_size=40), before)
    assert "--data-size 50, or more" in (why.value.hint or "")
    deployment.down(scene.world, scene.name, wish=Wish("delete"))


def test_an_up_that_ended_before_there_was_a_volume_looks_again(scene: Scene) -> None:
    found = snapshot(scene)
    before = Record(scene.name, PLACE)
    assert begin(scene, before=before)[0].snapshot == found


def test_what_an_interrupted_down_has_put_into_a_snapshot_the_next_up_begins_with(
    scene: Scene,
) -> None:
    found = snapshot(scene)
    before = Record(scene.name, PLACE, outputs={"data_volume_id": "vol-0123456789abcdef0"})
    assert begin(scene, before=before)[0].snapshot == found, "its volume is gone"


def test_an_interrupted_keep_is_taken_back_by_the_next_up(scene: Scene) -> None:
    volume_id = scene.live()
    scene.steps.kill_after = 2
    with pytest.raises(Killed, match="release_volume"):
        deployment.down(scene.world, scene.name, wish=Wish("keep"))
    scene.steps.kill_after = None
    before = scene.home.record()
    assert before is not None
    origin, asked = begin(scene, before=before)
    assert asked == Settings(data_volume_size=50)
    assert [*read_state(scene.home.path)] == [volume_id], "Terraform has it still"
    way = Way(PLACE, scene.aws, scene.account.environment)
    volume_first.take_over(way, scene.home, origin.taken_over)
    assert volume_first.waiting(scene.home) is None
    write_state(scene.home.path, [])  # a keep that was interrupted later
    volume_first.take_over(way, scene.home, origin.taken_over)
    assert volume_first.waiting(scene.home) == volume_id
    settle(scene, origin, asked)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    assert (volume.deployment, volume.kept_at) == (scene.name, None)
    deployment.down(scene.world, scene.name)
    assert scene.aws.volume(volume_id) is None
    assert len(scene.aws.find_snapshots(scene.name)) == 1


def test_an_interrupted_final_snapshot_is_not_the_last_once_the_machine_was_used(
    scene: Scene,
) -> None:
    volume_id = scene.live("one-time")
    scene.steps.kill_after = 3
    with pytest.raises(Killed, match="create_snapshot"):
        deployment.down(scene.world, scene.name)
    scene.steps.kill_after = None
    before = scene.home.record()
    assert before is not None
    begin(scene, before=before)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    assert volume.ending is None
    deployment.down(scene.world, scene.name)
    assert len(scene.aws.find_snapshots(scene.name)) == 2


@pytest.mark.parametrize("action", ["delete", "replace"])
def test_a_plan_that_would_end_living_data_is_refused(action: Any) -> None:
    change = Change("aws_ebs_volume.data[0]", "aws_ebs_volume", action)
    with pytest.raises(UsageError, match=r"would delete the data volume \(aws_ebs_volume"):
        restoring.refuse_loss("x", Plan((change,)))
    restoring.refuse_loss("x", Plan((replace(change, action="update"),)))
    restoring.refuse_loss("x", None)


def test_a_volume_whose_making_was_interrupted_is_taken_as_it_is(scene: Scene) -> None:
    volume_id = data_volume(scene.ec2, scene.name)
    scene.home.create()
    write_state(scene.home.path, [volume_id, "vol-0123456789abcdef0"])
    path = scene.home.path / state.FILE
    path.write_text(path.read_text().replace('"index_key"', '"status": "tainted", "index_key"'))
    untainted: list[str] = []
    terraform: Any = SimpleNamespace(untaint=untainted.append)
    way = Way(PLACE, scene.aws, scene.account.environment)
    restoring.spare(way, scene.home, terraform)
    assert untainted == [read_state(scene.home.path)[volume_id]], "the other one is gone"
    scene.aws.delete_volume(volume_id)


class Refusing:
    """A Terraform that refuses when it is to apply."""

    def __init__(self, planned: Plan) -> None:
        self.planned = planned

    def init(self, **_: Any) -> None:
        """Providers are there."""

    def plan(self) -> Plan:
        """What is there already has somebody's work on it: looked at before it is asked."""
        return self.planned

    def apply(self, *_: Any, **__: Any) -> Any:
        """Nothing is made."""
        raise TerraformError("refused", hint="")


def test_up_asks_with_the_data_in_its_question_and_pins_it(scene: Scene) -> None:
    volume_id = kept_volume(scene)
    change = Change("module.notebook.aws_ebs_volume.data[0]", "aws_ebs_volume", "replace")
    refusing: Any = lambda *_, **__: Refusing(Plan((change,)))  # noqa: E731 (as short as it gets)
    with pytest.raises(UsageError, match="would delete the data volume"):
        deployment.up(replace(scene.world, terraform=refusing), wanted(scene))
    assert scene.asked == []
    planned = Plan((replace(change, action="update"),))
    refusing = lambda *_, **__: Refusing(planned)  # noqa: E731 (likewise)
    world = replace(scene.world, terraform=refusing)
    with pytest.raises(TerraformError):
        deployment.up(world, wanted(scene))
    assert f"data         {volume_id}, kept since" in scene.asked[0]
    values = scene.home.variables()
    assert (values.get("data_volume_id"), values["data_volume_size"]) == (None, 50)
    assert volume_first.waiting(scene.home) == volume_id
    assert [one.id for one in scene.aws.leftovers(scene.name)] == [volume_id]
    write_state(scene.home.path, [])
    done = deployment.down(scene.world, scene.name, wish=Wish("keep"))
    assert [one.id for one in done.kept] == [volume_id]
    deployment.delete_kept(scene.world, scene.name, volume_id)


def test_a_move_that_was_cut_short_goes_on_with_the_volume_that_it_had_made(scene: Scene) -> None:
    subnets = scene.aws.check_request(Request("t3.large", spot=False)).subnets
    left = data_volume(scene.ec2, scene.name)
    volume = scene.aws.volume(left)
    assert volume
    copy = scene.aws.create_snapshot(volume, scene.name, "move").snapshot_id
    scene.aws.wait_for_snapshot(copy, lambda _: None)
    tags = {DEPLOYMENT_TAG: scene.name, DATA_TAG: scene.name}
    made = scene.aws.create_volume(zone="us-east-1b", gib=50, snapshot_id=copy, tags=tags)
    chosen = {"subnet_id": subnets["us-east-1b"], "data_snapshot_id": copy}
    move = {"volume": left, "snapshot": copy}
    scene.home.create()
    scene.home.remember(Record(name=scene.name, place=PLACE, chosen=chosen, move=move))
    planned = Plan((Change("module.notebook.aws_instance.this[0]", "aws_instance", "create"),))
    refusing: Any = lambda *_, **__: Refusing(planned)  # noqa: E731 (as short as it gets)
    with pytest.raises(TerraformError):
        deployment.up(replace(scene.world, terraform=refusing), wanted(scene))
    assert volume_first.waiting(scene.home) == made
    assert scene.home.variables()["data_snapshot_id"] == copy
    scene.aws.delete_snapshot(copy)
    for one in (left, made):
        scene.aws.delete_volume(one)
