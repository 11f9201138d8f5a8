"""What becomes of the data at `down`; Terraform is only its state file, machines are imaginary."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.ending import Killed, Scene, scene, write_state
from tests.unit.fleet import data_volume, launch, state, tags
from wrapper import deployment
from wrapper.aws import snapshots
from wrapper.aws.account import Account
from wrapper.deployment import clearing
from wrapper.deployment.events import Warned
from wrapper.deployment.take_down import Wish
from wrapper.errors import AwsError, FailedError, LeftoverError, TerraformError, UsageError

if TYPE_CHECKING:
    from wrapper.aws import SpotRequest
    from wrapper.aws.model import SnapshotKind
    from wrapper.deployment.data import Choice


AGAIN = clearing.AGAIN

__all__ = ["scene"]  # a fixture, for pytest to find here


def finals(scene: Scene) -> list[Any]:
    return [one for one in scene.aws.find_snapshots(scene.name) if one.kind == "final"]


@pytest.mark.parametrize("market", ["on-demand", "persistent", "one-time"])
def test_a_final_snapshot_is_taken_of_a_volume_at_rest(scene: Scene, market: str) -> None:
    volume_id = scene.live(market)
    done = deployment.down(scene.world, scene.name)
    (taken,) = finals(scene)
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
    assert len(finals(scene)) == 1


@pytest.mark.parametrize("adopted", [False, True], ids=["managed", "adopted"])
def test_a_kept_volume_stays_as_it_is(scene: Scene, *, adopted: bool) -> None:
    volume_id = scene.live(adopted=adopted)
    done = deployment.down(scene.world, scene.name, wish=Wish("keep"))
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    assert (volume.state, volume.deployment, volume.data_of) == ("available", None, scene.name)
    assert scene.aws.leftovers(scene.name) == []
    assert finals(scene) == []
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
    assert (scene.aws.volume(volume_id), finals(scene), done.kept) == (None, [], ())


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
    assert [one.volume_id for one in finals(scene)] == [volume_id]
    assert scene.aws.leftovers(scene.name) == []
    assert [one.kind for one in done.kept] == ["snapshot"]


def test_a_volume_without_a_machine_is_asked_about_too(scene: Scene) -> None:
    volume_id = data_volume(scene.ec2, scene.name)
    scene.remember(None, None)
    write_state(scene.home.path, [volume_id])
    deployment.down(scene.world, scene.name)
    assert [one.volume_id for one in finals(scene)] == [volume_id]


def test_a_volume_whose_tags_are_gone_is_known_by_the_state(scene: Scene) -> None:
    volume_id = scene.live()
    keys = [{"Key": "jupyter-clouds:data-of"}, {"Key": "jupyter-clouds:deployment"}]
    scene.ec2.delete_tags(Resources=[volume_id], Tags=keys)  # type: ignore[arg-type] # keys alone are enough
    deployment.down(scene.world, scene.name)
    assert [one.volume_id for one in finals(scene)] == [volume_id]


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
        assert len(finals(one)) <= 1, where
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
    assert len(finals(scene)) == 2


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
    assert [one.volume_id for one in finals(scene)] == [volume_id]


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


def test_forgetting_comes_before_destroying(scene: Scene) -> None:
    volume_id = scene.live()
    deployment.down(scene.world, scene.name, wish=Wish("keep"))
    seen = scene.steps.seen
    assert seen.index("release_volume") < seen.index("forget") < seen.index("destroy")
    assert not (scene.home.path / "terraform.tfstate").exists()
    assert scene.aws.volume(volume_id) is not None


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
    left = {one.snapshot_id for one in finals(scene)}
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


class Quick:
    """Time that passes by being waited for, and no other way."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, until: Any, *, what: str, minutes: float = 10) -> Any:
        """As Account.wait, whose last look comes when the time is over."""
        if (found := until()) is None:
            self.now += minutes * 60
            raise AwsError(what)
        return found


@pytest.mark.parametrize("groups", [1, 20])
def test_what_somebody_else_holds_is_told_and_not_waited_for_without_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    ours = [
        scene.ec2.create_security_group(
            GroupName=f"{scene.name}-{number}",
            Description="x",
            TagSpecifications=tags(scene.name, "security-group"),
        )["GroupId"]
        for number in range(groups)
    ]
    machine = launch(scene.ec2, f"{scene.name}-another", SecurityGroupIds=ours)
    scene.remember(None, None)
    quick = Quick()
    monkeypatch.setattr(clearing, "AGAIN", AGAIN)
    monkeypatch.setattr(clearing, "time", quick)
    monkeypatch.setattr(Account, "wait", quick.wait)

    with pytest.raises(LeftoverError, match=f"{groups} left in"):
        deployment.down(scene.world, scene.name)
    assert 60 < quick.now <= clearing.WITHIN + max(AGAIN), "of waiting, none of it real"
    assert len([one for one in scene.told if isinstance(one, Warned)]) == groups, "each once"

    monkeypatch.undo()
    scene.aws.end_machines(f"{scene.name}-another", instance_ids=[machine])
    assert len(deployment.down(scene.world, scene.name).removed) == groups
