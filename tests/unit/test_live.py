"""`status --watch`: what it knows from one look to the next, and how it shows it."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.cli import live as view
from wrapper.deployment import live
from wrapper.deployment.events import Warned
from wrapper.deployment.live import Live
from wrapper.errors import FingerprintError, LoginError, NoAnswerError, UnknownDeploymentError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Autostop, Gpu, Kernel, Resources

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30
FIRST = Resources(
    time=1.0,
    cores=4,
    load=0.5,
    cpu_used=100.0,
    cpu_total=1000.0,
    memory_total=16 * GIB,
    memory_available=12 * GIB,
    disk_total=100 * GIB,
    disk_free=40 * GIB,
    gpus=(Gpu("Tesla T4", 37, 2 * GIB, 15 * GIB),),
    kernels=(Kernel("k-1", "python3", ("train.ipynb",), "busy", 125.0),),
    notice="Gone at {time}",
    notice_time="2026-11-23T10:11:12Z",
    autostop=None,
)
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
    world = dataclasses.replace(world, pin=machine.pin, notebook=machine.speak)  # type: ignore[arg-type]
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
    machine = str(scene.home.record().instance_id)  # type: ignore[union-attr]
    scene.machine.answers = [NoAnswerError("no answer")]
    ec2.stop_instances(InstanceIds=[machine])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    assert not scene.look(until="stopped").answers


def test_another_address_and_another_key_are_followed(scene: Scene) -> None:
    scene.machine.answers = [FIRST, FIRST, NoAnswerError("gone"), NoAnswerError("gone"), LATER]

    def another(found: Live) -> None:
        if not found.answers:
            record = scene.home.record()
            assert record
            scene.machine.key = "b" * 64  # `up --replace` in another terminal
            outputs = record.outputs | {"public_ip": "198.18.0.10"}
            scene.home.remember(
                dataclasses.replace(record, outputs=outputs, key_sha256=scene.machine.key)
            )
        if found.answers and "198.18.0.10" in scene.machine.asked_at:
            raise KeyboardInterrupt

    deployment.watch_status(scene.world, scene.home.name, another, every=0.01)


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


SEEN = Live(
    name="moon",
    at="2026-11-23T10:00:00+00:00",
    state="running",
    answers=True,
    told_at="2026-11-23T10:00:00+00:00",
    cpu_percent=75.0,
    cores=4,
    load=0.5,
    memory_used_bytes=4 * GIB,
    memory_total_bytes=16 * GIB,
    gpus=FIRST.gpus,
    kernels=(*FIRST.kernels, Kernel("k-2", "julia", (), "waiting", 7300)),
    notice="Gone soon",
    autostop=Autostop((), 45, 0, "2026-11-23T09:00:00Z", None, "2026-11-23T09:59:00Z", None),
    spent=1.234,
    hourly_price=0.5,
)


@pytest.mark.parametrize(
    "words",
    [
        "running",
        "processor 75 % of 4",
        "memory 4.0 of 16.0 GiB",
        "GPU Tesla T4: 37 %, 2.0 of 15.0 GiB",
        "kernel train.ipynb: busy for 2 min",
        "kernel julia: waits for input for 2 h",
        "stops after 45 minutes without work",
        "Gone soon",
        "about $1.23 so far, $0.5000 an hour",
    ],
)
def test_a_line_tells_all_of_it(words: str) -> None:
    assert words in view.line(SEEN)


def test_a_line_of_a_silent_machine_says_how_old_its_numbers_are() -> None:
    said = view.line(dataclasses.replace(SEEN, answers=False, trouble="no route"))
    assert "does not answer: no route | what follows is of " in said


def test_the_view_says_how_old_its_numbers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    shown = view.View("moon")
    shown.now(SEEN)
    assert not any("old" in words for _, words, _ in shown.rows())
    now[0] += 130  # nothing came: whoever fills it waits for an answer
    assert any("What follows is 2 min old." in words for _, words, _ in shown.rows())


MOVING = """
import time
from tests.unit.test_live import SEEN
from wrapper import deployment
from wrapper.cli import main

def forever(world, name, tell, *, every):
    try:
        while True:
            tell(SEEN)
            time.sleep(0.1)
    except KeyboardInterrupt:
        return

deployment.watch_status = forever
raise SystemExit(main(["status", "moon", "--watch"]))
"""


def test_on_a_terminal_one_view_moves_until_ctrl_c() -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", MOVING],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/", "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    text = ""
    while text.count("train.ipynb") < 3:
        text += os.read(ours, 4096).decode(errors="replace")
    child.send_signal(signal.SIGINT)
    # What it still writes is read, or it would wait for us.
    while True:
        try:
            if not os.read(ours, 4096):
                break
        except OSError:
            break
    assert child.wait() == 0
    os.close(ours)
    assert "\x1b[" in text, "nothing moved"
    assert "█" in text


def test_without_a_terminal_each_look_is_a_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wrapper.cli import main  # noqa: PLC0415 (beside the fixture)

    def twice(_: Any, __: str, tell: Any, *, every: float) -> None:
        assert every == 0.5
        tell(SEEN)
        tell(SEEN)

    monkeypatch.setattr(live, "watch_status", twice)
    assert main(["status", "moon", "--watch", "--every", "0.5", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(one)["cpu_percent"] for one in lines] == [75.0, 75.0]
