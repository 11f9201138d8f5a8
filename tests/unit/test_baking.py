"""`bake`, `images`, and what a new machine begins with, over the embedded EC2's API."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.local_api import ROOT, Machines, run, wait_for
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.aws import Aws, Request
from wrapper.deployment import baking, beginning, inventory, logging_in, place, preparing, take_down
from wrapper.deployment.events import Note, Step, Warned
from wrapper.deployment.wanted import Wanted
from wrapper.errors import AwsError, FailedError, UsageError
from wrapper.home import Home, Place, Record, root
from wrapper.local.api import imaginary
from wrapper.local.machines import Progress
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.world import World

HERE = Place("local", "us-east-1", "123456789012")
WHERE = deployment.Where(local=True, region="us-east-1")
INSTALLING = b"\njupyter-clouds: phase=environment state=started\n"
FAILED = INSTALLING + b"\njupyter-clouds: phase=environment state=failed seconds=1.0 exit=1\n"
INSTALLED = INSTALLING + b"\njupyter-clouds: phase=environment seconds=12.5\n"


class Talking(Machines):
    """Machines of which a test decides what is on the console, and how far copies are."""

    said = INSTALLED
    later: list[bytes] = []  # noqa: RUF012 - each test gives its own
    """What is on it at each look, one after another."""

    def console(self, instance_id: str) -> bytes:
        del instance_id
        return self.later.pop(0) if self.later else self.said


class Somebody:
    """A person with a deployment whose machine runs, in an account of their own."""

    def __init__(self, tmp_path: Path, account: Account, machines: Talking) -> None:
        self.machines, self.ec2, self.told = machines, account.client(), list[Any]()
        self.world: World = bare_world(tmp_path, account, StandIn(), self.told)
        self.home = Home(root(self.world.environment) / "mine")
        self.home.create()
        self.aws = Aws(environment=account.environment, region="us-east-1")
        self.instance = run(self.ec2, BlockDeviceMappings=[ROOT])
        wait_for(self.ec2, self.instance, "running")
        volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=50)["VolumeId"]
        self.ec2.attach_volume(VolumeId=volume, InstanceId=self.instance, Device="/dev/sdf")
        self.remember()

    def remember(self, **more: Any) -> Record:
        record = Record("mine", HERE, instance_ids=(self.instance,), **more)
        record.outputs.update(instance_id=self.instance)
        return self.home.remember(record)

    def bake(self, **how: Any) -> baking.Done:
        return deployment.bake(self.world, "mine", **how)

    def told_image(self, image_id: str) -> Any:
        return self.ec2.describe_images(ImageIds=[image_id])["Images"][0]

    def ids(self) -> list[str]:
        return [one.id for one in deployment.images(self.world, WHERE)]

    def begins_with(
        self, before: Record | None = None, fresh: bool = False, **asked: Any
    ) -> str | None:
        settings = Settings(**asked)
        kind = settings.instance_type or "t3.large"
        facts = self.aws.check_request(Request(instance_type=kind, spot=False))
        wanted = Wanted(name="mine", settings=settings, new_password=str, fresh=fresh)
        way = place.search(self.world, local=True, region="us-east-1")
        return beginning.choose(self.world, way, wanted, settings, facts, before)

    def notes(self) -> str:
        return "\n".join(one.text for one in self.told if isinstance(one, Note))


@pytest.fixture
def somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Somebody]:
    monkeypatch.setattr(imaginary, "TRANSITION_SECONDS", 0.05)
    monkeypatch.setattr(imaginary, "COPY_SECONDS", 0.05)
    machines = Talking()
    with served(machines) as account:
        yield Somebody(tmp_path, account, machines)


def test_an_image_is_of_the_root_disk_and_tells_what_is_in_it(somebody: Somebody) -> None:
    done = somebody.bake()
    found = somebody.told_image(done.image.id)
    assert found["State"] == "available"
    assert found["ImdsSupport"] == "v2.0"
    assert [one["DeviceName"] for one in found["BlockDeviceMappings"]] == ["/dev/sda1"]
    tags = {one["Key"]: one["Value"] for one in found["Tags"]}
    assert tags["jupyter-clouds:image-of"] == "mine"
    assert "ubuntu-noble-24.04-amd64" in tags["jupyter-clouds:base"] == done.image.base
    assert tags["jupyter-clouds:gpu"] == "none"
    # Nobody answers here: what it was once asked for is no knowledge of what it has.
    assert done.image.environment == done.image.programs == done.image.packages == ""
    assert "jupyter-clouds:deployment" not in tags, "down would take it for a leftover"
    assert (done.image.name, done.image.gib, done.image.state) == ("mine", 30, "available")


def test_what_is_in_it_is_what_the_machine_tells(
    somebody: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = {"environment": "e" * 12, "programs": "p" * 12, "packages": "python=3.12.1 and 9 others"}
    monkeypatch.setattr(inventory, "ask", lambda *_: has)
    done = somebody.bake()
    assert (done.image.environment, done.image.programs) == ("e" * 12, "p" * 12)
    tags = {one["Key"]: one["Value"] for one in somebody.told_image(done.image.id)["Tags"]}
    assert tags["jupyter-clouds:packages"] == done.image.packages == has["packages"]


def told_by(code: str) -> dict[str, Any]:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_inventory_changes_with_any_program_and_names_packages(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/phase.py").write_text("print(1)")
    first = told_by(inventory.cell(str(tmp_path)))
    (tmp_path / "bin/__pycache__").mkdir()
    (tmp_path / "bin/__pycache__/phase.pyc").write_text("compiled")
    assert told_by(inventory.cell(str(tmp_path))) == first
    (tmp_path / "bin/phase.py").write_text("print(2)")
    second = told_by(inventory.cell(str(tmp_path)))
    assert second["programs"] != first["programs"]
    assert second["environment"] == first["environment"]
    assert first["own"]["pytest"] == pytest.__version__
    assert first["own"]["python"] == platform.python_version()


class Notebook:
    """Runs cells here."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs

    def run_cell(self, code: str) -> str:
        """What it printed."""
        code = code.replace(inventory.PROGRAMS, str(self.programs))
        return json.dumps(told_by(code)) if self.programs.exists() else "nonsense"


def test_the_machine_is_asked_and_what_it_does_not_tell_is_warned_of(
    somebody: Somebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(logging_in, "logged_in", lambda *_: nullcontext(Notebook(programs)))

    def pinned(*_: Any, **__: Any) -> Any:
        return None

    world = replace(somebody.world, pin=pinned)
    record = somebody.remember(key_sha256="cd" * 32)
    machine = somebody.aws.instance(somebody.instance)
    assert machine
    machine = replace(machine, state="running", public_ip="198.18.0.1")
    found = inventory.ask(world, somebody.home, record, machine)
    assert len(found["environment"]) == len(found["programs"]) == 12
    assert found["packages"].startswith(f"python={platform.python_version()} ")
    assert found["packages"].endswith(" others")
    assert inventory.ask(world, somebody.home, record, replace(machine, state="stopped")) == {}
    programs.rmdir()
    assert inventory.ask(world, somebody.home, record, machine) == {}
    warned = [one.text for one in somebody.told if isinstance(one, Warned)]
    assert len(warned) == 1
    assert "did not tell" in warned[0]


def test_the_machine_is_left_alone(somebody: Somebody) -> None:
    assert somebody.bake().shows == "crash-consistent"
    assert somebody.machines.rebooted == []
    assert somebody.bake(reboot=True).shows == "clean"
    assert somebody.machines.rebooted == [somebody.instance]


def test_of_a_machine_at_rest(somebody: Somebody) -> None:
    somebody.ec2.stop_instances(InstanceIds=[somebody.instance])
    wait_for(somebody.ec2, somebody.instance, "stopped")
    assert somebody.bake(reboot=True).shows == "clean"


def test_what_still_installs_is_waited_for(somebody: Somebody) -> None:
    somebody.machines.later = [INSTALLING, INSTALLING, INSTALLED]
    assert somebody.bake().image.state == "available"
    steps = [one.text for one in somebody.told if isinstance(one, Step)]
    assert "Waiting for the environment, which is being installed" in steps


def test_what_failed_to_install_is_not_baked(somebody: Somebody) -> None:
    somebody.machines.said = FAILED
    with pytest.raises(UsageError, match="its environment is not installed"):
        somebody.bake()
    assert somebody.ids() == []


def test_without_a_machine_there_is_nothing_to_bake(somebody: Somebody) -> None:
    somebody.ec2.terminate_instances(InstanceIds=[somebody.instance])
    wait_for(somebody.ec2, somebody.instance, "terminated")
    with pytest.raises(FailedError, match="no machine that runs or rests"):
        somebody.bake()


def test_an_image_that_failed_is_removed(
    somebody: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(somebody.machines.blocks, "snapshot", lambda _: Progress(3, "disk full"))
    with pytest.raises(AwsError, match="failed"):
        somebody.bake()
    assert somebody.ids() == []


def test_of_many_the_newest_stay(somebody: Somebody) -> None:
    made = [somebody.bake().image.id for _ in range(3)]
    assert somebody.ids() == made[::-1]
    snapshots = len(somebody.machines.blocks.contents)
    gone = deployment.prune_images(somebody.world, "mine", WHERE, keep=1)
    assert [one.id for one in gone] == made[1::-1]
    assert somebody.ids() == made[2:]
    assert len(somebody.machines.blocks.contents) == snapshots - 2
    assert deployment.prune_images(somebody.world, "mine", WHERE, keep=1) == []
    deployment.prune_images(somebody.world, "mine", WHERE, keep=0)
    assert somebody.ids() == []


def test_down_tells_of_images(somebody: Somebody) -> None:
    made = somebody.bake().image
    way = place.search(somebody.world, local=True, region="us-east-1")
    (told,) = take_down.kept_of(way, "mine")
    assert (told.kind, told.id, told.monthly_price) == ("image", made.id, made.monthly_price)
    assert way.aws.names() == ["mine"], "and sweep finds them"
    assert [one.name for one in way.aws.holdings({"mine": None}) if one.kind == "snapshot"] == [
        "mine"
    ]


def test_a_new_machine_begins_with_the_newest_that_fits(somebody: Somebody) -> None:
    assert somebody.begins_with() is None
    first, second = somebody.bake().image.id, somebody.bake().image.id
    assert somebody.begins_with() == second
    assert f"begins with {second}" in somebody.notes()
    deployment.prune_images(somebody.world, "mine", WHERE, keep=1)
    assert first not in somebody.ids()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param({"instance_type": "t4g.large"}, "it is x86_64", id="architecture"),
        pytest.param({"instance_type": "g4dn.xlarge"}, "lacks NVIDIA's driver", id="gpu"),
        pytest.param({"root_volume_size": 20}, "needs a disk of 30 GiB", id="disk"),
        pytest.param({"ami_id": "ami-0123456789abcdef0"}, "", id="the-users-own"),
        pytest.param({"fresh": True}, "", id="fresh"),
    ],
)
def test_one_that_does_not_fit_is_passed_over(
    somebody: Somebody, asked: dict[str, Any], why: str
) -> None:
    somebody.bake()
    assert somebody.begins_with(**asked) is None
    assert why in somebody.notes()


def test_it_is_told_when_the_image_has_gone(somebody: Somebody) -> None:
    made = somebody.bake().image.id
    before = somebody.remember(image=made)
    assert somebody.begins_with(before) == made
    assert somebody.notes() == "", "the machine that runs is not concerned"
    deployment.prune_images(somebody.world, "mine", WHERE, keep=0)
    assert somebody.begins_with(before) is None
    assert f"{made} has gone" in somebody.notes()


def test_terraform_is_not_told_of_an_image_that_has_gone(somebody: Somebody) -> None:
    made = somebody.bake().image.id
    somebody.remember(image=made)
    way = place.search(somebody.world, local=True, region="us-east-1")
    for there in (True, False):
        somebody.home.write_variables({"name": "mine", "ami_id": made})
        if not there:
            deployment.prune_images(somebody.world, "mine", WHERE, keep=0)
        beginning.spare(way, somebody.home)
        assert (somebody.home.variables()["ami_id"] == made) == there


def test_the_module_gets_the_image_unless_the_user_named_one() -> None:
    record = Record("mine", HERE, image="ami-1")
    named = Settings(ami_id="ami-2")
    assert preparing.variables(record, Settings(), {"ami_id": "ami-0"})["ami_id"] == "ami-1"
    assert preparing.variables(record, named, {})["ami_id"] == "ami-2"
    plain = Record("mine", HERE)
    assert "ami_id" not in preparing.variables(plain, Settings(), {"ami_id": "ami-0"})
