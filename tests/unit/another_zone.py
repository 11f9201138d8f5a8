"""A deployment whose data is carried to another zone."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import launch, until
from tests.unit.worlds import StandIn, bare_world
from wrapper.deployment import moving, place, untouched
from wrapper.deployment.fallback import Candidate
from wrapper.deployment.preparing import Prepared
from wrapper.errors import CloudsError, RefusedError
from wrapper.home import Home, Place, Record, root
from wrapper.terraform import state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
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


def managed(home: Home) -> list[str]:
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
