"""What stands in the way of a connection by SSH, and the next command then."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import launch
from tests.unit.ssh_folder import PLACE, folder, moon
from tests.unit.worlds import told, world
from wrapper import deployment
from wrapper.cli import cli
from wrapper.cli.ways import ssh as ssh_command
from wrapper.deployment import preparing, ssh
from wrapper.errors import CloudsError, FailedError, FingerprintError, NoAnswerError
from wrapper.home import Home, Record, root
from wrapper.settings import Settings, check

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from wrapper.deployment.world import World

__all__ = ["folder", "moon", "told", "world"]  # fixtures, for pytest to find here


@pytest.mark.parametrize(
    ("settings", "opened"),
    [
        pytest.param(Settings(), None, id="not said"),
        pytest.param(Settings(ssh=True), ["203.0.113.7/32"], id="who reaches the notebook"),
        pytest.param(
            Settings(ssh=True, ssh_cidrs=("192.0.2.0/24", "203.0.113.7/32")),
            ["203.0.113.7/32", "192.0.2.0/24"],
            id="and whom the user named",
        ),
        pytest.param(Settings(ssh=False), [], id="closed again"),
    ],
)
def test_ssh_is_open_to_whom_it_was_asked_for(settings: Settings, opened: Any) -> None:
    record = Record("moon", PLACE, settings=check(settings).said(), own_cidr="203.0.113.7/32")
    found = preparing.variables(record, settings, {})
    assert found.get("ssh_cidrs") == opened
    assert "ssh" not in found


@pytest.fixture
def home(world: World, name: str) -> Home:
    """A deployment whose port 22 is open."""
    made = Home(root(world.environment) / name)
    made.create()
    made.write_variables({"ssh_cidrs": ["203.0.113.7/32"]})
    return made


def remember(home: Home, machine: str | None) -> None:
    outputs = {"instance_id": machine, "public_ip": "198.18.0.9"}
    home.remember(Record(home.name, PLACE, outputs=outputs))


@pytest.fixture
def machine(home: Home, ec2: EC2Client) -> str:
    made = launch(ec2, home.name)
    remember(home, made)
    return made


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes ssh a program that says what ssh would, and ends as it would."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    def says(words: str, code: int) -> None:
        program = tools / "ssh"
        program.write_text(f"#!{sys.executable}\nraise SystemExit(print({words!r}) or {code})\n")
        if code:
            program.write_text(
                f"#!{sys.executable}\nimport sys\nprint({words!r}, file=sys.stderr)\n"
                f"sys.exit({code})\n"
            )
        program.chmod(0o755)

    return says


@pytest.mark.usefixtures("machine")
def test_a_closed_port_is_told_with_what_opens_it(world: World, home: Home) -> None:
    home.write_variables({})
    with pytest.raises(FailedError, match="Port 22") as raised:
        deployment.connect(world, home.name)
    assert str(raised.value.hint).startswith(f"python -m wrapper up {home.name} --ssh")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("here", "lacks"), [((), "aws is missing"), (("aws",), "session-manager-plugin is missing")]
)
def test_what_this_computer_lacks_for_a_session_is_told(
    here: tuple[str, ...],
    lacks: str,
    world: World,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.write_variables({"session_manager": True})
    for name in here:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(FailedError, match=lacks) as raised:
        deployment.connect(world, home.name)

    assert "https://docs.aws.amazon.com/" in str(raised.value.hint)


def test_a_stopped_machine_is_told_with_what_starts_it(
    world: World, home: Home, machine: str, ec2: EC2Client
) -> None:
    ec2.stop_instances(InstanceIds=[machine])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    with pytest.raises(NoAnswerError, match="stopped") as raised:
        deployment.connect(world, home.name)
    assert raised.value.hint == f"python -m wrapper start {home.name}"


@pytest.mark.usefixtures("machine")
def test_nobody_is_met_whose_host_key_the_console_does_not_show(world: World, home: Home) -> None:
    with pytest.raises(NoAnswerError, match="shows no SSH host key"):
        deployment.connect(world, home.name)
    assert not (ssh.folder(home) / "known_hosts").exists()


@pytest.mark.parametrize(
    ("carried", "words", "error", "hint"),
    [
        pytest.param(
            False,
            "Host key verification failed.",
            FingerprintError,
            "up moon --replace",
            id="another key",
        ),
        pytest.param(
            False,
            "connect to host 198.18.0.9 port 22: Connection timed out",
            NoAnswerError,
            "allow moon",
            id="not reached",
        ),
        pytest.param(
            True,
            "An error occurred (TargetNotConnected) when calling the StartSession operation",
            NoAnswerError,
            "SSM agent has not reported",
            id="no agent",
        ),
        pytest.param(
            True,
            "An error occurred (AccessDeniedException) when calling the StartSession operation",
            NoAnswerError,
            "ssm:StartSession",
            id="no right",
        ),
        pytest.param(
            True,
            "An error occurred (ExpiredTokenException) when calling the StartSession operation",
            NoAnswerError,
            "credentials too: python -m wrapper doctor",
            id="another word of AWS's",
        ),
    ],
)
def test_what_ssh_says_becomes_the_next_command(
    carried: bool,
    words: str,
    error: type[CloudsError],
    hint: str,
    world: World,
    moon: Home,
    answer: Any,
) -> None:
    answer(words, 255)
    moon.write_variables({"session_manager": carried})
    with pytest.raises(error, match=re.escape(words.split(".", maxsplit=1)[0])) as raised:
        ssh._tried(world, moon)
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    ("words", "code", "let_in"),
    [
        pytest.param("notebook@198.18.0.9: Permission denied (publickey).", 255, False, id="not"),
        pytest.param("", 0, True, id="let in"),
        pytest.param("a shell that fails", 1, True, id="let in, with a strange shell"),
    ],
)
def test_whether_the_key_is_let_in(
    words: str, code: int, let_in: bool, world: World, moon: Home, answer: Any
) -> None:
    answer(words, code)
    assert ssh._tried(world, moon) is let_in


@pytest.mark.parametrize(
    ("typed", "name", "words"),
    [
        pytest.param([], "notebook", (), id="a shell"),
        pytest.param(["moon"], "moon", (), id="of one with a name"),
        pytest.param(["--", "ls", "--", "-l"], "notebook", ("ls", "--", "-l"), id="a command"),
        pytest.param(["moon", "--", "nproc"], "moon", ("nproc",), id="both"),
    ],
)
def test_what_follows_two_dashes_is_the_machines(
    typed: list[str], name: str, words: tuple[str, ...]
) -> None:
    with ssh_command.make_context("ssh", typed, obj={}) as ctx:
        assert (ctx.params["name"], ctx.meta["words"]) == (name, words)
    assert cli.commands["ssh"] is ssh_command
