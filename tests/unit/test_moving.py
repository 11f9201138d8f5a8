"""A deployment's data carried to another zone: real volumes and snapshots of the EC2 API."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import fleet
from tests.unit.another_zone import A, B, C, Scene, managed, scene, told, write_state
from tests.unit.fleet import fulfilled, request_spot, until
from wrapper.deployment import data, moving
from wrapper.deployment.fallback import Candidate
from wrapper.errors import AwsError
from wrapper.home import Record
from wrapper.terraform import Plan, state

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws

__all__ = ["scene", "told"]  # fixtures, for pytest to find here


def test_to_another_zone_the_data_goes_in_a_snapshot_of_a_stopped_machine(scene: Scene) -> None:
    ready = scene.towards(B)
    assert fleet.state(scene.ec2, scene.machine) == "terminated"
    (snapshot,) = scene.way.aws.find_snapshots(scene.home.name)
    assert (snapshot.kind, snapshot.state, snapshot.volume_id) == (
        "move",
        "completed",
        scene.volume,
    )
    assert scene.exists(scene.volume), "the old one stays until the new notebook is verified"
    assert managed(scene.home) == [], "Terraform would try to attach it"
    values = scene.home.variables()
    assert (values["subnet_id"], values["data_snapshot_id"]) == ("subnet-b", snapshot.snapshot_id)
    assert (ready.plan, ready.anew) == (None, ())


def test_the_volume_of_before_goes_when_the_move_is_settled(scene: Scene) -> None:
    scene.towards(B)
    moving.settle(scene.world, scene.home, scene.way)
    assert scene.exists(scene.volume), "nothing has taken its place yet"
    new = scene.make_volume("us-east-1b")
    moving.settle(scene.world, scene.home, scene.way)
    assert (scene.exists(scene.volume), scene.exists(new)) == (False, True)
    assert scene.snapshots() == []
    assert scene.record.move == {}
    assert scene.record.chosen["subnet_id"] == "subnet-b", "pinned"
    assert scene.home.variables()["data_snapshot_id"] is None
    moving.settle(scene.world, scene.home, scene.way)
    assert scene.exists(new)


def test_a_volume_that_is_no_copy_of_the_old_one_does_not_end_it(
    scene: Scene, told: list[Any]
) -> None:
    scene.towards(B)
    scene.home.write_variables({**scene.home.variables(), "data_snapshot_id": None})
    scene.make_volume("us-east-1b")
    moving.settle(scene.world, scene.home, scene.way)
    assert scene.exists(scene.volume)
    assert len(scene.snapshots()) == 1
    assert f"is no copy of {scene.volume}" in told[-1].text


def test_the_data_has_left_a_volume_once_its_copy_is_chosen(scene: Scene) -> None:
    assert moving.left(None) == moving.left(scene.record) == []
    scene.towards(B)
    assert moving.left(scene.record) == [scene.volume]
    # Another copy is being taken, and the command was killed then.
    begun = replace(scene.record, move={**scene.record.move, "snapshot": "snap-2"})
    assert moving.left(begun) == []


def test_a_copy_that_was_never_remembered_goes_with_the_move(scene: Scene) -> None:
    volume = scene.way.aws.volume(scene.volume)
    assert volume
    scene.way.aws.create_snapshot(volume, scene.home.name, "move")  # and then it was killed
    scene.towards(B)
    scene.make_volume("us-east-1b")
    moving.settle(scene.world, scene.home, scene.way)
    assert scene.snapshots() == []


def test_a_zone_that_had_nothing_either_costs_no_second_snapshot(scene: Scene) -> None:
    in_b = scene.towards(B)
    (first,) = scene.snapshots()
    with scene.refused(in_b):
        new = scene.make_volume("us-east-1b")
    ready = scene.towards(C)
    assert ready.anew == (data.DATA_VOLUME,)
    assert scene.snapshots() == [first]
    assert scene.home.variables()["data_snapshot_id"] == first
    assert scene.exists(new), "Terraform replaces it"
    assert ready.candidates[0] == C


def test_a_machine_that_ec2_may_start_again_is_ended_before_its_data_is_copied(
    scene: Scene, ec2: EC2Client, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.ec2.terminate_instances(InstanceIds=[scene.machine])
    until(lambda: fleet.state(ec2, scene.machine) == "terminated")
    machine = fulfilled(ec2, request_spot(ec2, scene.home.name))
    zone = scene.way.aws.instance(machine)
    assert zone
    volume = scene.make_volume(zone.zone)
    ec2.attach_volume(VolumeId=volume, InstanceId=machine, Device="/dev/sdf")
    scene.home.remember(replace(scene.record, instance_ids=(scene.machine, machine)))
    account.control.capacity("none", market="spot")
    account.control.interrupt(machine, after=0)
    until(lambda: fleet.state(ec2, machine) == "stopped")
    whole = type(scene.way.aws).wait_for_snapshot
    started = []

    def capacity_returns(aws: Aws, snapshot_id: str, progress: Any) -> Any:
        account.control.capacity("back")
        end = time.monotonic() + 7  # EC2 takes five seconds
        while time.monotonic() < end and fleet.state(ec2, machine) == "stopped":
            time.sleep(0.1)
        started.append(fleet.state(ec2, machine) in ("pending", "running"))
        return whole(aws, snapshot_id, progress)

    monkeypatch.setattr(type(scene.way.aws), "wait_for_snapshot", capacity_returns)
    scene.towards(next(one for one in (A, B) if one.zone != zone.zone))
    assert started == [False]


def test_a_machine_that_somebody_started_during_the_copy_is_not_ended(
    scene: Scene, ec2: EC2Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = type(scene.way.aws).wait_for_snapshot

    def start(aws: Aws, snapshot_id: str, progress: Any) -> Any:
        ec2.start_instances(InstanceIds=[scene.machine])
        return whole(aws, snapshot_id, progress)

    monkeypatch.setattr(type(scene.way.aws), "wait_for_snapshot", start)
    with pytest.raises(AwsError, match="was started while its snapshot was taken"):
        scene.towards(B)
    until(lambda: fleet.state(ec2, scene.machine) == "running")
    assert scene.exists(scene.volume)


def test_an_interrupted_move_goes_on_with_its_snapshot(scene: Scene) -> None:
    scene.towards(B)
    (first,) = scene.snapshots()
    write_state(scene.home, scene.volume)  # killed before Terraform had forgotten it
    moving.go_on(scene.home, scene.terraform, scene.record)  # type: ignore[arg-type] # likewise
    assert managed(scene.home) == []
    write_state(scene.home, scene.volume)
    scene.towards(B)
    assert scene.snapshots() == [first]


def test_in_the_same_zone_the_volume_stays_what_it_is(scene: Scene) -> None:
    bigger = Candidate("m5.large", spot=False, zone="us-east-1a", subnet_id="subnet-a")
    ready = scene.towards(bigger)
    assert fleet.state(scene.ec2, scene.machine) == "terminated"
    assert (scene.snapshots(), ready.anew) == ([], ())
    assert managed(scene.home) == [scene.volume]
    values = scene.home.variables()
    assert (values["instance_type"], values["subnet_id"]) == ("m5.large", None)


def test_what_was_made_for_a_first_machine_that_was_refused_is_made_anew(scene: Scene) -> None:
    scene.ec2.terminate_instances(InstanceIds=[scene.machine])
    scene.way.aws.delete_volume(scene.volume)
    scene.home.remember(Record(name=scene.home.name, place=scene.record.place))
    with scene.refused(scene.ready()):
        scene.make_volume("us-east-1a")
    assert scene.towards(B).anew == (data.DATA_VOLUME,)
    assert scene.snapshots() == []


def test_of_a_first_machine_that_nobody_remembers_the_data_goes_along(scene: Scene) -> None:
    scene.home.remember(Record(name=scene.home.name, place=scene.record.place))
    assert scene.towards(B).anew == ()
    assert fleet.state(scene.ec2, scene.machine) == "terminated"
    assert len(scene.snapshots()) == 1


def test_no_request_stays_open_behind_a_move(scene: Scene, ec2: EC2Client) -> None:
    request = request_spot(ec2, scene.home.name)
    assert fulfilled(ec2, request)
    scene.towards(B)
    assert [one.state for one in scene.way.aws.find_spot_requests(scene.home.name)] == ["cancelled"]
    assert scene.way.aws.find_instances(scene.home.name) == []


def test_a_machine_that_the_record_does_not_name_is_something_to_do(scene: Scene) -> None:
    ready = replace(scene.ready(), plan=Plan(()))
    assert ready.nothing_to_do
    assert not replace(ready, stale=True).nothing_to_do


def test_what_terraform_put_out_is_read_from_its_state(scene: Scene) -> None:
    assert state.output(scene.home.path, "instance_id") is None
    scene.home.write("terraform.tfstate", '{"outputs": {"instance_id": {"value": "i-2"}}}')
    assert state.output(scene.home.path, "instance_id") == "i-2"
    assert state.output(scene.home.path, "other") is None
    scene.home.write("terraform.tfstate", "{")
    assert state.output(scene.home.path, "instance_id") is None
