"""SSH: a key of the deployment's own, a known host, a configuration that ssh itself reads."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, openssh, session_manager, ssh_include
from wrapper.cli import cli
from wrapper.cli.ways import ssh as ssh_command
from wrapper.deployment import preparing, ssh
from wrapper.errors import CloudsError, FailedError, FingerprintError, NoAnswerError, SettingsError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import Settings, check

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

HOST_KEY = "ssh-ed25519 " + "A" * 68
PLACE = Place("local", "us-east-1", "123456789012")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As it lies in the directory of the deployment "moon", whose path is an awkward one."""
    made = tmp_path / "50% of it" / "moon" / "ssh"
    openssh.public_key(made)
    openssh.know(made, HOST_KEY)
    openssh.write(made, address="198.18.0.9", user="notebook")
    return made


@pytest.fixture
def moon(folder: Path) -> Home:
    """That deployment."""
    return Home(folder.parent)


def understood(*options: str) -> dict[str, str]:
    """What ssh makes of its configuration."""
    done = subprocess.run(
        ["ssh", "-G", *options, "clouds-moon"], check=True, capture_output=True, text=True
    )
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def test_a_key_is_made_once_and_its_owners_alone(folder: Path) -> None:
    private = folder / "id_ed25519"
    before = private.read_bytes()
    public = openssh.public_key(folder)
    assert private.read_bytes() == before
    assert public.startswith("ssh-ed25519 AAAA")
    assert public.endswith(" clouds-moon")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_half_a_key_is_made_anew(folder: Path) -> None:
    before = openssh.public_key(folder)
    (folder / "id_ed25519").unlink()
    assert openssh.public_key(folder) != before


def test_ssh_goes_there_with_that_key_and_to_that_host_key_alone(folder: Path) -> None:
    told = understood("-F", str(folder / "config"))
    assert told["hostname"] == "198.18.0.9"
    assert told["user"] == "notebook"
    assert told["hostkeyalias"] == "clouds-moon"
    assert told["stricthostkeychecking"] == "true"
    assert told["userknownhostsfile"] == str(folder / "known_hosts")
    assert told["globalknownhostsfile"] == "/dev/null"
    assert told["identityfile"].replace("%%", "%") == str(folder / "id_ed25519")
    assert told["passwordauthentication"] == told["forwardagent"] == "no"
    found = subprocess.run(
        ["ssh-keygen", "-F", "clouds-moon", "-f", folder / "known_hosts"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert HOST_KEY in found.stdout


def test_the_configuration_follows_the_machines_address(folder: Path) -> None:
    home = Home(folder.parent)
    ssh.follow(home, "198.18.0.10")
    assert understood("-F", str(folder / "config"))["hostname"] == "198.18.0.10"
    ssh.follow(home, None)
    assert understood("-F", str(folder / "config"))["hostname"] == "198.18.0.10"
    (folder / "config").unlink()
    ssh.follow(home, "198.18.0.11")
    assert not (folder / "config").exists()


def test_credentials_do_not_reach_ssh() -> None:
    given = {"AWS_SECRET_ACCESS_KEY": "x", "TF_VAR_a": "x", "PATH": "/bin", "TERM": "vt100"}
    assert openssh.environment(given) == {"PATH": "/bin", "TERM": "vt100"}


def test_the_session_manager_carries_ssh_where_no_port_is_open(folder: Path) -> None:
    proxy = session_manager.proxy_command("eu-west-1")
    openssh.write(folder, address="i-0123456789abcdef0", user="notebook", proxy=proxy)

    told = understood("-F", str(folder / "config"))

    assert told["hostname"] == "i-0123456789abcdef0"
    assert told["proxycommand"].endswith(
        "aws ssm start-session --region eu-west-1 --target %h "
        "--document-name AWS-StartSSHSession --parameters portNumber=%p"
    )
    # Whoever carries it needs to be known to AWS; the host key is the console's all the same.
    given = {"AWS_PROFILE": "x", "TF_VAR_a": "x", "PATH": "/bin"}
    assert openssh.environment(given, folder / "config") == {"AWS_PROFILE": "x", "PATH": "/bin"}
    assert told["hostkeyalias"] == "clouds-moon"
    assert told["stricthostkeychecking"] == "true"


def test_where_a_port_is_open_aws_carries_nothing(folder: Path) -> None:
    home = Home(folder.parent)
    home.remember(Record(home.name, PLACE, outputs={"instance_id": "i-1"}))
    home.write_variables({"session_manager": True})
    ssh.follow(home, "198.18.0.10")
    assert understood("-F", str(folder / "config"))["hostname"] == "i-1"

    home.write_variables({"session_manager": True, "ssh_cidrs": ["203.0.113.7/32"]})
    ssh.follow(home, "198.18.0.10")

    told = understood("-F", str(folder / "config"))
    assert (told["hostname"], told.get("proxycommand")) == ("198.18.0.10", None)
    given = {"AWS_PROFILE": "x", "PATH": "/bin"}
    assert openssh.environment(given, folder / "config") == {"PATH": "/bin"}


BEGUN = "# mine\nHost other\n    User me\n"


def test_the_users_configuration_leads_to_every_deployment(folder: Path, tmp_path: Path) -> None:
    config, all_of_them = tmp_path / ".ssh" / "config", folder.parent.parent
    ssh_include.include(config, all_of_them)
    assert understood("-F", str(config))["hostkeyalias"] == "clouds-moon"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    config.write_text(BEGUN)
    ssh_include.include(config, all_of_them)
    assert understood("-F", str(config))["hostkeyalias"] == "clouds-moon"


@pytest.mark.parametrize("before", ["", BEGUN, BEGUN[:-1]], ids=["none", "some", "no last newline"])
def test_what_was_added_is_removed_and_the_rest_as_it_was(before: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(before)
    for _ in range(2):
        ssh_include.include(config, tmp_path / "data")
    text = config.read_text()
    assert text.count("Include") == 1
    assert text.endswith(before)
    assert ssh_include.included(config, tmp_path / "data")
    ssh_include.remove(config, tmp_path / "data")
    assert config.read_text() == before


def test_a_configuration_that_is_a_link_stays_one(tmp_path: Path) -> None:
    elsewhere, config = tmp_path / "dotfiles", tmp_path / "config"
    elsewhere.write_text(BEGUN)
    config.symlink_to(elsewhere)
    ssh_include.include(config, tmp_path / "data")
    assert config.is_symlink()
    assert "Include" in elsewhere.read_text()


def test_a_configuration_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_bytes(b"# \xff\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        ssh_include.include(config, tmp_path / "data")
    assert config.read_bytes() == b"# \xff\n"


@pytest.mark.parametrize("char", ['"', "*", "?", "[", "\\"])
def test_a_folder_that_ssh_cannot_name_is_refused(char: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot name"):
        ssh_include.include(tmp_path / "config", tmp_path / f"a{char}b")
    assert not (tmp_path / "config").exists()


def test_the_line_goes_with_the_last_deployment(folder: Path, tmp_path: Path) -> None:
    config, all_of_them = tmp_path / "config", folder.parent.parent
    ssh_include.include(config, all_of_them)
    ssh.forget(all_of_them, config)
    assert ssh_include.included(config, all_of_them)
    shutil.rmtree(folder)
    ssh.forget(all_of_them, config)
    assert config.read_text() == ""


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
def world(tmp_path: Path, account: Account) -> World:
    return bare_world(tmp_path, account, StandIn(), [])


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
def test_what_this_computer_lacks_for_a_session_is_told(  # noqa: PLR0913, PLR0917 (a table's columns)
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
def test_what_ssh_says_becomes_the_next_command(  # noqa: PLR0913, PLR0917 (a table's columns)
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
def test_whether_the_key_is_let_in(  # noqa: PLR0913, PLR0917 (a table's columns)
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
