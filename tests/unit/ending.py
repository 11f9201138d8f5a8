"""A deployment that can be ended without Terraform: only its state file is real."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import data_volume, fulfilled, launch, request_spot
from wrapper.deployment import clearing
from wrapper.deployment.world import World
from wrapper.home import Home, Place, Record, root
from wrapper.local import Status
from wrapper.terraform import state

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.aws import Aws, Snapshot

PLACE = Place("local", "us-east-1", "123456789012")
ONE_TIME = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}


class Killed(BaseException):
    """kill -9: nothing of ours may handle it."""


@dataclass
class Steps:
    """Counts what changes something outside, and is killed after the so-manieth."""

    seen: list[str] = field(default_factory=list)
    kill_after: int | None = None

    def made(self, name: str) -> None:
        """A step was made."""
        self.seen.append(name)
        if len(self.seen) == self.kill_after:
            raise Killed(name)


CHANGES = (
    "claim_volume",
    "copy_snapshot",
    "create_snapshot",
    "create_volume",
    "delete_snapshot",
    "delete_volume",
    "end_machines",
    "mark_ending",
    "release_volume",
    "remove",
    "stop_instance",
    "wait_for_snapshot",
)


class CountedAws:
    """The EC2 adapter, each change of it a step."""

    def __init__(self, aws: Aws, steps: Steps) -> None:
        self._aws, self._steps = aws, steps

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._aws, name)
        if name not in CHANGES:
            return call

        def counted(*given: Any, **more: Any) -> Any:
            done = call(*given, **more)
            self._steps.made(name)
            return done

        return counted


@dataclass
class StateOnly:
    """As much of Terraform as `down` asks, with the state file as the only truth."""

    path: Path
    ec2: EC2Client
    steps: Steps

    def init(self, **_: Any) -> None:
        """Providers are there."""

    def forget(self, *addresses: str) -> None:
        """Out of the state."""
        there = read_state(self.path)
        forgotten = [one for one, address in there.items() if address in addresses]
        write_state(self.path, [one for one in there if one not in forgotten])
        self.steps.made("forget")

    def destroy(self, _: Any) -> None:
        """Whatever the state knows is deleted."""
        for volume_id in read_state(self.path):
            self.ec2.delete_volume(VolumeId=volume_id)
        write_state(self.path, [])
        self.steps.made("destroy")


def write_state(path: Path, volume_ids: list[str]) -> None:
    """A state of Terraform that manages these volumes."""
    instances = [
        {"index_key": number, "attributes": {"id": one}} for number, one in enumerate(volume_ids)
    ]
    resource = {
        "module": "module.notebook",
        "mode": "managed",
        "type": "aws_ebs_volume",
        "name": "data",
        "instances": instances,
    }
    (path / state.FILE).write_text(json.dumps({"resources": [resource]}))


def read_state(path: Path) -> dict[str, str]:
    """Volumes that it manages, and their addresses."""
    return state.managed(path, "aws_ebs_volume")


class Embedded:
    """The embedded EC2's door, on the account of the test."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def status(self) -> Status:
        """It runs."""
        return Status(running=True, env=self._account.environment)

    def settled(self, **_: Any) -> Status:
        """Likewise."""
        return self.status()

    def start(self, **_: Any) -> Status:
        """Likewise."""
        return self.status()


@dataclass
class Scene:
    """One deployment with a machine and a data volume, as an `up` has left it."""

    account: Account
    ec2: EC2Client
    aws: Aws
    """The adapter, uncounted."""
    path: Path
    name: str
    steps: Steps = field(default_factory=Steps)
    told: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answer: str | None = None
    """What is chosen; None is the default."""
    agrees: list[bool] = field(default_factory=list)
    """Answers to the next questions; yes when there are none."""

    def another(self, name: str) -> Scene:
        """Another deployment, on the same computer and in the same account."""
        return Scene(self.account, self.ec2, self.aws, self.path, name)

    @property
    def home(self) -> Home:
        """The deployment's directory."""
        return Home(root(self.world.environment) / self.name)

    @property
    def world(self) -> World:
        """A computer that knows only the embedded EC2."""
        nothing: Any = None
        make: Any = lambda **_: CountedAws(self.aws, self.steps)  # noqa: E731 (as short as it gets)
        terraform: Any = lambda path, **_: StateOnly(path, self.ec2, self.steps)  # noqa: E731 (likewise)
        return World(
            environment={"XDG_DATA_HOME": str(self.path), "HOME": str(self.path)},
            aws=make,
            terraform=terraform,
            pin=nothing,
            notebook=nothing,
            embedded=partial(Embedded, self.account),  # type: ignore[arg-type] # as much as is asked
            public_address=lambda: "203.0.113.7",
            report=self.told.append,
            confirm=self._confirm,
            choose=self._choose,
        )

    def _confirm(self, question: str) -> bool:
        self.asked.append(question)
        return self.agrees.pop(0) if self.agrees else True

    def _choose(self, question: str, _: Any, default: str) -> str:
        self.asked.append(question)
        return self.answer or default

    def machine(self, market: str) -> str:
        """A running machine: on-demand, persistent or one-time."""
        if market == "persistent":
            return fulfilled(self.ec2, request_spot(self.ec2, self.name))
        more = {"InstanceMarketOptions": ONE_TIME} if market == "one-time" else {}
        return launch(self.ec2, self.name, **more)

    def live(self, market: str = "on-demand", *, adopted: bool = False, gib: int = 50) -> str:
        """The deployment is up; id of its data volume."""
        machine = self.machine(market)
        volume_id = data_volume(self.ec2, self.name, machine, gib=gib)
        self.remember(machine, volume_id)
        write_state(self.home.path, [] if adopted else [volume_id])
        found = self.aws.instance(machine)
        while found and datetime.now(UTC) < found.launched_at + timedelta(seconds=1):
            time.sleep(0.05)  # no real machine is started and stopped within one second
        return volume_id

    def remember(self, machine: str | None, volume_id: str | None) -> None:
        """The record, as `up` leaves it."""
        outputs = {"instance_id": machine, "data_volume_id": volume_id}
        self.home.create()
        ids = (machine,) if machine else ()
        self.home.remember(Record(self.name, PLACE, outputs=outputs, instance_ids=ids))
        module = self.home.path / "module"
        module.mkdir(exist_ok=True)
        (self.home.path / "main.tf").touch()

    def holding(self, volume_id: str) -> bool:
        """The data is on its volume, or in a completed snapshot of it."""
        return bool(self.aws.volume(volume_id)) or any(
            one.volume_id == volume_id and one.state == "completed"
            for one in self.aws.find_snapshots(self.name)
        )

    def finals(self) -> list[Snapshot]:
        """Taken by `down`."""
        return [one for one in self.aws.find_snapshots(self.name) if one.kind == "final"]

    def texts(self) -> list[str]:
        """What was told."""
        return [getattr(one, "text", "") for one in self.told]


@pytest.fixture
def scene(
    account: Account,
    ec2: EC2Client,
    aws: Aws,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """A deployment's scene, in which the search for leftovers does not wait for EC2."""
    monkeypatch.setattr(clearing, "AGAIN", (0.0, 0.1, 0.3))
    return Scene(account, ec2, aws, tmp_path, name)
