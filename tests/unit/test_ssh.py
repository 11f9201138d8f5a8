"""SSH: a key of the deployment's own, a known host, a configuration that ssh itself reads."""

from __future__ import annotations

import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.ssh_folder import HOST_KEY, PLACE, folder, moon
from wrapper import openssh, session_manager, ssh_include
from wrapper.deployment import ssh
from wrapper.errors import SettingsError
from wrapper.home import Home, Record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["folder", "moon"]  # fixtures, for pytest to find here


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
