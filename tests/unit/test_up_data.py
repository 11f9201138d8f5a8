"""What the data of an `up` begins with; machines are imaginary, and no Terraform is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD, QUICK
from tests.unit.ending import PLACE, Killed, Scene, read_state, scene, write_state
from tests.unit.fleet import data_volume
from wrapper import deployment
from wrapper.aws import Aws, Request
from wrapper.aws.model import DATA_TAG, DEPLOYMENT_TAG
from wrapper.deployment import its_architecture, origins, preparing, restoring, volume_first
from wrapper.deployment.origins import Origin
from wrapper.deployment.place import Way
from wrapper.deployment.take_down import Wish
from wrapper.deployment.wanted import Wanted
from wrapper.errors import RequestError, SettingsError, TerraformError, UsageError
from wrapper.home import Record
from wrapper.settings import NO_DATA, Settings
from wrapper.terraform import Change, Plan, state

if TYPE_CHECKING:
    from wrapper.aws import Snapshot

WEST = "us-west-2"


__all__ = ["scene"]  # a fixture, for pytest to find here


def wanted(scene: Scene, **more: Any) -> Wanted:
    said = {"settings": Settings(allow=("203.0.113.7/32",)), "local": True, **more}
    return Wanted(name=scene.name, new_password=lambda: PASSWORD, **said)


def begin(
    scene: Scene, asked: Settings | None = None, before: Record | None = None, **more: Any
) -> tuple[Origin, Settings]:
    way = Way(PLACE, scene.world.aws(environment={}, region=None), scene.account.environment)
    asked = asked or Settings()
    return restoring.begin(scene.world, way, wanted(scene, **more), asked, before)


def snapshot(scene: Scene, gib: int = 50, kind: Any = "final") -> Snapshot:
    """Of a volume that is gone."""
    volume_id = data_volume(scene.ec2, scene.name, gib=gib)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    made = scene.aws.create_snapshot(volume, scene.name, kind)
    done = scene.aws.wait_for_snapshot(made.snapshot_id, lambda _: None)
    scene.aws.delete_volume(volume_id)
    return done


def kept_volume(scene: Scene, gib: int = 50, architecture: str | None = None) -> str:
    volume_id = data_volume(scene.ec2, scene.name, gib=gib, architecture=architecture)
    scene.aws.release_volume(volume_id, scene.name)
    return volume_id


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


def settle(scene: Scene, origin: Origin, pinned: Settings) -> Any:
    """What is done between the question and Terraform."""
    nothing: Any = None
    scene.home.create()
    way = Way(PLACE, scene.world.aws(environment={}, region=None), scene.account.environment)
    ready = preparing.Prepared(
        way=way,
        record=Record(scene.name, PLACE, settings=pinned.said()),
        fresh=True,
        facts=nothing,
        pair=None,
        terraform=nothing,
        plan=None,
        candidates=(),
        give_up=nothing,
        origin=origin,
    )
    return restoring.settle(scene.world, scene.home, ready)


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
