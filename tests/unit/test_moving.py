"""A deployment's data carried to another zone: real volumes and snapshots of the EC2 API."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import fleet
from tests.unit.fleet import fulfilled, launch, request_spot, until
from tests.unit.worlds import StandIn, bare_world
from wrapper.deployment import data, moving, place, untouched
from wrapper.deployment.fallback import Candidate
from wrapper.deployment.preparing import Prepared
from wrapper.errors import AwsError, CloudsError, FailedError, RefusedError
from wrapper.home import Home, Place, Record, root
from wrapper.terraform import Plan, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws
    from wrapper.deployment.world import World

A, B, C = (
    Candidate("t3.large", spot=False, zone=f"us-east-1{zone}", subnet_id=f"subnet-{zone}")
    for zone in "abc"
)
NO_ROOM = RefusedError("No.", hint="", code="capacity-not-available")


class Forgetful(StandIn):
    """A Terraform of which only the state matters."""

    def forget(self, *addresses: str) -> None:
        """As Terraform's own."""
        assert self.home
        there = state.managed(self.home.path, "aws_ebs_volume")
        write_state(self.home, *(one for one, at in there.items() if at not in addresses))


def write_state(home: Home, *volume_ids: str) -> None:
    resources = [
        {
            "mode": "managed",
            "module": "module.notebook",
            "type": "aws_ebs_volume",
            "name": "data",
            "instances": [
                {"index_key": index, "attributes": {"id": one}}
                for index, one in enumerate(volume_ids)
            ],
        }
    ]
    home.write("terraform.tfstate", json.dumps({"version": 4, "resources": resources}))


def _managed(home: Home) -> list[str]:
    return [*state.managed(home.path, "aws_ebs_volume")]


class Scene:
    """A deployment with a machine and a data volume in us-east-1a."""

    def __init__(self, world: World, ec2: EC2Client, terraform: Forgetful, name: str) -> None:
        self.world, self.ec2, self.terraform = world, ec2, terraform
        self.home = terraform.home = Home(root(world.environment) / name)
        self.home.create()
        self.machine = launch(ec2, name, Placement={"AvailabilityZone": "us-east-1a"})
        self.home.write_variables({"instance_type": "t3.large", "spot": False})
        self.volume = self.make_volume("us-east-1a")
        ec2.attach_volume(VolumeId=self.volume, InstanceId=self.machine, Device="/dev/sdf")
        record = Record(
            name=name,
            place=Place("local", "us-east-1", "123456789012"),
            outputs={
                "instance_id": self.machine,
                "availability_zone": "us-east-1a",
                "data_volume_id": self.volume,
            },
            instance_ids=(self.machine,),
        )
        self.home.remember(record)
        self.way = place.back_to(world, record)

    def make_volume(self, zone: str) -> str:
        """As Terraform makes it."""
        pairs = {
            "jupyter-clouds:deployment": self.home.name,
            "jupyter-clouds:data-of": self.home.name,
        }
        tags: list[Any] = [
            {
                "ResourceType": "volume",
                "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
            }
        ]
        snapshot_id = self.home.variables().get("data_snapshot_id")
        begun: dict[str, Any] = {"SnapshotId": snapshot_id} if snapshot_id else {}
        made = self.ec2.create_volume(
            AvailabilityZone=zone, Size=5, Encrypted=True, TagSpecifications=tags, **begun
        )["VolumeId"]
        until(
            lambda: (
                self.ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["State"] == "available"
            )
        )
        write_state(self.home, made)
        return made

    @property
    def record(self) -> Record:
        """As it is on disk."""
        found = self.home.record()
        assert found
        return found

    def ready(self) -> Prepared:
        """As `up` has it."""
        nothing: Any = None
        return Prepared(
            way=self.way,
            record=self.record,
            fresh=False,
            facts=nothing,
            pair=None,
            terraform=self.terraform,  # type: ignore[arg-type] # as much of it as is asked
            plan=nothing,
            candidates=(A, B, C),
            give_up=threading.Event(),
        )

    def towards(self, candidate: Candidate) -> Prepared:
        """The story under test."""
        return moving.towards(self.world, self.home, self.ready(), candidate)

    @contextmanager
    def refused(self, ready: Prepared, error: CloudsError = NO_ROOM) -> Iterator[None]:
        """Terraform is asked for a machine, and fails; most often EC2 has none."""
        with suppress(type(error)), untouched.if_refused(self.home, ready):
            yield
            raise error

    def snapshots(self) -> list[str]:
        """Ids of all that hold its data."""
        return [one.snapshot_id for one in self.way.aws.find_snapshots(self.home.name)]

    def exists(self, volume_id: str) -> bool:
        """The volume is not gone."""
        return self.way.aws.volume(volume_id) is not None


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def scene(tmp_path: Path, account: Account, ec2: EC2Client, name: str, told: list[Any]) -> Scene:
    terraform = Forgetful()
    return Scene(bare_world(tmp_path, account, terraform, told), ec2, terraform, name)


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
    assert _managed(scene.home) == [], "Terraform would try to attach it"
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
    assert _managed(scene.home) == []
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
    assert _managed(scene.home) == []
    write_state(scene.home, scene.volume)
    scene.towards(B)
    assert scene.snapshots() == [first]


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


def test_in_the_same_zone_the_volume_stays_what_it_is(scene: Scene) -> None:
    bigger = Candidate("m5.large", spot=False, zone="us-east-1a", subnet_id="subnet-a")
    ready = scene.towards(bigger)
    assert fleet.state(scene.ec2, scene.machine) == "terminated"
    assert (scene.snapshots(), ready.anew) == ([], ())
    assert _managed(scene.home) == [scene.volume]
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
