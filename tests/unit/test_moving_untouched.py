"""Which copy of the data a move trusts: the volume's mark, and what may have been written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit import fleet
from tests.unit.another_zone import NO_ROOM, B, C, Scene, managed, scene, told, write_state
from tests.unit.fleet import launch, until
from wrapper.deployment import moving, untouched
from wrapper.errors import FailedError

__all__ = ["scene", "told"]  # fixtures, for pytest to find here


def test_what_was_written_after_a_move_that_was_cut_short_goes_along_with_the_next(
    scene: Scene,
) -> None:
    scene.towards(B)
    (first,) = scene.snapshots()
    second = scene.make_volume("us-east-1b")
    # A machine came, was worked on for hours, and is gone; the command that made it was killed.
    machine = launch(scene.ec2, scene.home.name, Placement={"AvailabilityZone": "us-east-1b"})
    scene.ec2.attach_volume(VolumeId=second, InstanceId=machine, Device="/dev/sdf")
    scene.ec2.terminate_instances(InstanceIds=[machine])
    until(lambda: fleet.state(scene.ec2, machine) == "terminated")
    assert scene.towards(C).anew == ()
    (newest, *_) = scene.way.aws.find_snapshots(scene.home.name)
    assert (newest.volume_id, newest.state) == (second, "completed")
    assert newest.snapshot_id != first
    assert scene.home.variables()["data_snapshot_id"] == newest.snapshot_id
    assert scene.exists(second)
    assert managed(scene.home) == []
    third = scene.make_volume("us-east-1c")
    moving.settle(scene.world, scene.home, scene.way)
    assert [scene.exists(one) for one in (scene.volume, second, third)] == [False, False, True]
    assert scene.snapshots() == []


def test_a_volume_is_untouched_only_while_it_is_marked_and_no_machine_is_known(
    scene: Scene,
) -> None:
    in_b = scene.towards(B)
    with scene.refused(in_b):
        new = scene.make_volume("us-east-1b")
    record = scene.record
    volume = scene.way.aws.volume(new)
    assert volume
    assert untouched.is_so(scene.way, record, volume)
    assert not untouched.is_so(scene.way, record, replace(volume, untouched=False))
    assert not untouched.is_so(scene.way, record, replace(volume, attached_to="i-0"))
    launch(scene.ec2, scene.home.name)  # by hand, or by plain Terraform
    assert not untouched.is_so(scene.way, record, volume)


@pytest.mark.parametrize("kind", ["used before", "taken over", "a machine came", "another error"])
def test_nothing_else_is_marked_as_untouched(scene: Scene, kind: str) -> None:
    if kind == "taken over":
        write_state(scene.home)  # and Terraform imports it
    error = FailedError("failed", hint="") if kind == "another error" else NO_ROOM
    with scene.refused(scene.ready(), error):
        if kind in ("a machine came", "another error"):
            scene.make_volume("us-east-1b")
        if kind == "a machine came":
            launch(scene.ec2, scene.home.name)
    assert not any(one.untouched for one in scene.way.aws.find_volumes(scene.home.name))


def test_the_mark_is_gone_while_a_machine_may_come(scene: Scene) -> None:
    in_b = scene.towards(B)
    with scene.refused(in_b):
        new = scene.make_volume("us-east-1b")
    seen = []
    with scene.refused(scene.ready()):
        seen.append(scene.way.aws.volume(new))
    seen.append(scene.way.aws.volume(new))
    assert [one.untouched for one in seen if one] == [False, True]


def test_a_copy_of_before_a_machine_was_tried_again_is_not_trusted(scene: Scene) -> None:
    scene.towards(B)
    write_state(scene.home, scene.volume)  # killed before Terraform had forgotten it
    again = moving.begin_anew(scene.home, scene.ready())
    assert again.record.move == {"volume": scene.volume}
    scene.home.remember(again.record)
    scene.towards(C)
    assert len(scene.snapshots()) == 2


def test_a_snapshot_of_the_second_in_which_a_machine_started_is_not_trusted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.towards(B)
    (first,) = scene.way.aws.find_snapshots(scene.home.name)
    machine = scene.way.aws.instance(scene.machine)
    assert machine
    started = replace(machine, launched_at=first.started_at.replace(microsecond=0))
    write_state(scene.home, scene.volume)  # it was interrupted, and the machine started again
    monkeypatch.setattr(type(scene.way.aws), "instance", lambda *_: started)
    scene.towards(B)
    assert len(scene.snapshots()) == 2
    assert scene.record.move["snapshot"] != first.snapshot_id
    assert scene.home.variables()["data_snapshot_id"] == scene.record.move["snapshot"]
