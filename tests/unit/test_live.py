"""`status --watch`: what each look finds, with a machine that is there, silent, stopped or gone."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.fleet import launch
from tests.unit.seen import FIRST, GIB
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.deployment import live
from wrapper.deployment.events import Warned
from wrapper.errors import FingerprintError, LoginError, NoAnswerError, UnknownDeploymentError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Resources

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.live import Live
    from wrapper.deployment.world import World

LATER = dataclasses.replace(FIRST, cpu_used=103.0, cpu_total=1004.0)


class Machine:
    """A notebook that answers what the test has it answer, and the way to it."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        """One for each question; the last stays."""
        self.key, self.password = "a" * 64, "right"
        self.asked_at: list[str] = []
        self.logins = 0

    def pin(self, host: str, _: int, *, key_sha256: str, **__: Any) -> str:
        self.asked_at.append(host)
        if key_sha256 != self.key:
            raise FingerprintError("another key")
        return key_sha256

    def speak(self, _: str, __: Any, password: str, **___: Any) -> Machine:
        self.said = password
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def login(self) -> None:
        self.logins += 1
        if self.said != self.password:
            raise LoginError("refuses the password")

    def resources(self) -> Resources | None:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        assert found is None or isinstance(found, Resources)
        return found


@dataclasses.dataclass
class Scene:
    world: World
    machine: Machine
    home: Home
    seen: list[Live] = dataclasses.field(default_factory=list)

    def look(self, times: int = 1, *, until: str | None = None) -> Live:
        """The last of so many looks, or the first after which EC2 told that state."""

        def tell(found: Live) -> None:
            self.seen.append(found)
            done = len(self.seen) >= times if until is None else found.state == until
            if done:
                raise KeyboardInterrupt
            assert time.monotonic() < deadline, f"never {until}: {found}"

        deadline = time.monotonic() + 20
        self.seen.clear()
        deployment.watch_status(self.world, self.home.name, tell, every=0.01)
        return self.seen[-1]


@pytest.fixture
def scene(tmp_path: Path, account: Account, ec2: EC2Client, name: str) -> Scene:
    machine = Machine()
    machine.answers = [FIRST, LATER]
    world = bare_world(tmp_path, account, StandIn(), [])
    world = dataclasses.replace(world, pin=machine.pin, notebook=machine.speak)  # type: ignore[arg-type] # as much as is asked
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password("right")
    outputs = {"instance_id": launch(ec2, name), "public_ip": "198.18.0.9"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(
        Record(name, place, outputs=outputs, key_sha256=machine.key, hourly_price="0.0832")
    )
    return Scene(world, machine, home)


def test_the_first_look_has_all_numbers_and_the_processors_rate(scene: Scene) -> None:
    seen = scene.look()
    assert (seen.answers, seen.trouble, seen.state) == (True, None, "running")
    assert (seen.cpu_percent, seen.cores) == (75.0, 4)
    assert (seen.memory_used_bytes, seen.memory_total_bytes) == (4 * GIB, 16 * GIB)
    assert seen.disk
    assert seen.disk.free_bytes == 40 * GIB
    assert seen.kernels[0].state == "busy"
    assert seen.document()["gpus"][0]["percent"] == 37


def test_the_cost_is_the_journals_once_ec2_told_when_the_machine_began(scene: Scene) -> None:
    deadline = time.monotonic() + 20
    seen = scene.look()
    while seen.spent is None:
        assert time.monotonic() < deadline
        seen = scene.look(5)
    assert seen.spent >= 0
    assert seen.hourly_price == 0.0832


def test_a_lost_connection_keeps_what_was_known_and_comes_back_by_itself(scene: Scene) -> None:
    lost = NoAnswerError("198.18.0.9:9999 does not answer")
    scene.machine.answers = [FIRST, FIRST, lost, FIRST, LATER]
    scene.look(4)
    assert [one.answers for one in scene.seen] == [True, False, True, True]
    silent = scene.seen[1]
    assert silent.trouble == lost.message
    assert silent.kernels == FIRST.kernels
    assert silent.told_at == scene.seen[0].told_at
    assert scene.seen[2].trouble is None
    assert scene.machine.logins == 2


def test_a_stop_is_told(scene: Scene, ec2: EC2Client) -> None:
    record = scene.home.record()
    assert record
    machine = str(record.instance_id)
    scene.machine.answers = [NoAnswerError("no answer")]
    ec2.stop_instances(InstanceIds=[machine])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    assert not scene.look(until="stopped").answers


def test_another_machine_is_followed_whatever_ec2_said_of_the_one_before(
    scene: Scene, ec2: EC2Client
) -> None:
    another = launch(ec2, scene.home.name)
    (reserved,) = ec2.describe_instances(InstanceIds=[another])["Reservations"]
    address = reserved["Instances"][0]["PublicIpAddress"]
    scene.machine.answers = [FIRST]
    replaced, deadline = False, time.monotonic() + 60

    def tell(found: Live) -> None:
        nonlocal replaced
        assert time.monotonic() < deadline, scene.machine.asked_at
        if replaced and found.answers and scene.machine.asked_at[-1] == address:
            raise KeyboardInterrupt
        if replaced or found.spent is None:  # EC2 has not answered yet
            return
        # `up --replace` in another terminal
        replaced, record = True, scene.home.record()
        assert record
        scene.machine.answers, scene.machine.key = [NoAnswerError("gone"), LATER], "b" * 64
        outputs = record.outputs | {"instance_id": another, "public_ip": address}
        scene.home.remember(
            dataclasses.replace(record, outputs=outputs, key_sha256=scene.machine.key)
        )

    deployment.watch_status(scene.world, scene.home.name, tell, every=0.01)


def test_another_key_that_nobody_here_knows_is_told_nothing(scene: Scene) -> None:
    scene.machine.key = "c" * 64
    seen = scene.look(2)
    assert (seen.answers, seen.trouble) == (False, "another key")
    assert scene.machine.logins == 0


def test_a_refused_password_is_not_tried_again_and_again(scene: Scene) -> None:
    scene.machine.password = "another"
    seen = scene.look(5)
    assert seen.trouble == "refuses the password"
    assert scene.machine.logins == 1


def test_an_older_machine_answers_without_numbers(scene: Scene) -> None:
    scene.machine.answers = [None]
    seen = scene.look(2)
    assert seen.answers
    assert "older version" in str(seen.trouble)


def test_down_in_another_terminal_ends_it(scene: Scene) -> None:
    record = scene.home.record()
    assert record
    told: list[Live] = []

    def tell(found: Live) -> None:
        told.append(found)
        scene.home.end(record)

    deployment.watch_status(scene.world, scene.home.name, tell, every=0.01)
    assert [one.state for one in told] == ["running", "ended"]


def test_ec2_that_does_not_answer_is_told_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def silent(*_: Any, **__: Any) -> Any:
        raise NoAnswerError("EC2 is away")

    scene.machine.answers = [NoAnswerError("no answer")]
    scene.world = dataclasses.replace(scene.world, aws=silent, report=told.append)
    monkeypatch.setattr(live, "_ASK_EC2_EVERY", 0.0)
    scene.look(30)
    assert [type(one) for one in told] == [Warned]


def test_what_was_never_made_cannot_be_watched(scene: Scene) -> None:
    with pytest.raises(UnknownDeploymentError):
        deployment.watch_status(scene.world, "other", lambda _: None, every=1)
