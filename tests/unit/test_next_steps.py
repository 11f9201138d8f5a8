"""The next command that each of ours names where no machine runs: one that EC2 does not refuse."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import fulfilled, request_spot, state, until
from tests.unit.worlds import StandIn, bare_world
from wrapper import next_steps
from wrapper.cli import cli, main, worlds
from wrapper.deployment import awake
from wrapper.errors import NoAnswerError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account

START = "python -m wrapper start NAME"
WAIT_OR_MOVE = (
    "Wait for it: python -m wrapper up NAME --watch. Or move it: "
    "python -m wrapper up NAME --fallback zone,on-demand"
)
ANOTHER = "python -m wrapper up NAME: another machine, with the data"
NEXT = {"stopped by its owner": START, "taken by EC2": WAIT_OR_MOVE, "ended": ANOTHER}
TOLD = [
    *("open NAME --no-browser", "open NAME --background --no-browser"),
    *("ssh NAME", "ssh-config NAME --print", "clone https://127.0.0.1/a/b.git --name NAME"),
    *("push here --name NAME", "pull there here --name NAME", "sync here --name NAME"),
    *("run NAME here/a.py", "run NAME --list", "run NAME --cancel", "run NAME --attach"),
    *("env update here/environment.yml --name NAME", "extend NAME 1", "check NAME"),
    *("notify NAME", "password NAME --new --generate-password --yes", "interrupt NAME --yes"),
    *("status NAME", "start NAME", "stop NAME"),
]
OTHERS = {
    ("taken by EC2", "stop NAME"): "and save what you need: python -m wrapper up NAME --watch",
    ("ended", "stop NAME"): "Make one: python -m wrapper up NAME",
}
WITHOUT = ("open", "extend", "check", "interrupt", "status", "start", "stop")
"""Commands of which it is seen what they say where there is no machine."""
CASES = [
    pytest.param(how, words, OTHERS.get((how, words), NEXT[how]), id=f"{words}, {how}")
    for words in TOLD
    for how in NEXT
    if (how, words) != ("stopped by its owner", "start NAME")  # does it
    and (how != "ended" or words.split()[0] in WITHOUT)
]
NEED_NO_MACHINE = {
    *("up", "resize"),  # come to one in every case, or tell how
    *("logs", "bake", "snapshot"),  # are as good for one that is stopped
    *("offers", "prices", "list", "configure", "allow", "cost", "budget", "snapshots", "images"),
    *("down", "sweep", "local", "doctor"),
}


def test_every_command_is_in_the_table() -> None:
    assert {one.split()[0] for one in TOLD} | NEED_NO_MACHINE == {*cli.commands}


@pytest.fixture(scope="module")
def machines(account: Account, ec2: EC2Client) -> Iterator[dict[str, tuple[str, str]]]:
    """A spot machine in each way of not running, and its request."""
    made = {}
    for how in NEXT:
        request = request_spot(ec2, how.replace(" ", "-"))
        made[how] = fulfilled(ec2, request), request
    stopped, taken, ended = (made[how][0] for how in NEXT)
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[made["ended"][1]])
    ec2.terminate_instances(InstanceIds=[ended])
    until(lambda: (state(ec2, stopped), state(ec2, ended)) == ("stopped", "terminated"))
    account.control.capacity("none", market="spot")
    account.control.interrupt(taken, after=0)
    until(lambda: state(ec2, taken) == "stopped")
    yield made
    account.control.capacity("back")


@pytest.fixture
def deployed(
    tmp_path: Path,
    account: Account,
    machines: dict[str, tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], None]:
    """Makes this computer know of a deployment, "moon", with that machine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    # Hints name the program as it was called; a worker of xdist's was not called so.
    monkeypatch.setattr(sys, "argv", ["/x/wrapper/__main__.py"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.py").write_text("print(1)\n")
    (tmp_path / "here" / "environment.yml").write_text("dependencies: [python]\n")

    def real(report: Any, person: Any) -> Any:
        world = bare_world(tmp_path, account, StandIn(), [])
        surroundings = {**world.environment, "PATH": os.environ["PATH"]}
        more: Any = {"pin": silent, "report": report, "confirm": person.confirm}
        return replace(world, environment=surroundings, **more)

    def silent(*_: Any, **__: Any) -> None:
        raise NoAnswerError("Nobody is there.")

    monkeypatch.setattr(worlds, "real", real)

    def remember(how: str) -> None:
        home = Home(root({"XDG_DATA_HOME": str(tmp_path)}) / "moon")
        home.create()
        machine, request = machines[how]
        outputs = {"instance_id": machine, "spot_request_id": request, "public_ip": "198.18.0.9"}
        place = Place("local", "us-east-1", "123456789012")
        home.remember(Record("moon", place, outputs=outputs, key_sha256="a" * 64))
        home.write_variables({"ssh_cidrs": ["198.18.0.1/32"]})

    return remember


@pytest.mark.parametrize(("how", "words", "expected"), CASES)
def test_the_next_command_is_one_that_helps(
    deployed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    how: str,
    words: str,
    expected: str,
) -> None:
    typed = words.replace("NAME", "moon").split()
    program = {"push": "rsync", "pull": "rsync", "sync": "unison"}.get(typed[0], "ssh")
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    deployed(how)
    main(typed)
    told = capsys.readouterr()
    assert expected.replace("NAME", "moon") in told.err + told.out
    assert how == "stopped by its owner" or "wrapper start" not in told.err + told.out


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        pytest.param("marked-for-stop", "Server.SpotInstanceShutdown: x", WAIT_OR_MOVE, id="EC2"),
        pytest.param("marked-for-stop", "Client.UserInitiatedShutdown: x", START, id="its owner"),
        pytest.param("instance-stopped-by-user", "", START, id="its owner, told at once"),
    ],
)
def test_a_machine_on_its_way_down_is_started_by_whoever_stopped_it(
    status: str, reason: str, expected: str
) -> None:
    machine: Any = SimpleNamespace(state="stopping", state_reason=reason)
    request = SimpleNamespace(state="active", status=status)
    aws = SimpleNamespace(instance=lambda _: machine, spot_request=lambda _: request)
    way: Any = SimpleNamespace(aws=aws)
    place = Place("local", "us-east-1", "123456789012")
    record = Record("moon", place, outputs={"instance_id": "i-1", "spot_request_id": "sir-1"})
    error = awake.asleep(way, record, machine)
    assert error.hint == expected.replace("NAME", "moon")
    assert error.can_be_started == (expected == START)


@pytest.mark.parametrize("taken", [False, True])
def test_a_machine_that_runs_needs_nothing(taken: bool) -> None:
    assert next_steps.of("moon", "running", taken=taken) == ""
    assert next_steps.of("moon", "pending", taken=taken) == "python -m wrapper up moon"
