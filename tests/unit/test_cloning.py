"""`clone`: git, a server behind TLS and a password, and a stand-in for SSH's way between."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.clones import SECRET, Machine, Origin, Server, git, machine, origin
from wrapper import git_access
from wrapper.deployment import cloning
from wrapper.errors import FailedError, SettingsError, UsageError
from wrapper.git_access import Credential, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["machine", "origin"]  # fixtures, for pytest to find here


def test_a_private_one_is_cloned_by_the_credential_that_git_has_here(
    machine: Machine, origin: Origin
) -> None:
    found = machine.clone(f"{origin.url}/code.git")
    assert found == cloning.Cloned("code", f"{origin.url}/code.git", None, new=True)
    assert (machine.work / "code/words").read_text() == "of main"
    assert git(machine.work / "code", "remote", "get-url", "origin").strip() == found.url
    assert [one.name for one in machine.work.iterdir()] == ["code"]


def test_the_credential_stays_nowhere_and_no_argument_has_it(
    machine: Machine, origin: Origin
) -> None:
    machine.clone(f"{origin.url}/code.git")
    assert origin.shown
    held = [one for one in machine.home.rglob("*") if one.is_file()]
    assert not [one for one in held if SECRET.encode() in one.read_bytes()]
    assert SECRET not in machine.log.read_text()
    assert "ForwardAgent" not in machine.log.read_text()


def test_another_branch(machine: Machine, origin: Origin) -> None:
    found = machine.clone(f"{origin.url}/code.git@next")
    assert (found.branch, (machine.work / "code/words").read_text()) == ("next", "main")


def test_no_other_host_is_shown_the_credential(
    machine: Machine, origin: Origin, capfd: pytest.CaptureFixture[str]
) -> None:
    """A submodule's address is whoever's who wrote the repository."""
    shown: list[str] = []
    with Server(origin.folder, shown) as other:
        threading.Thread(target=other.serve_forever, args=(0.05,), daemon=True).start()
        outer = origin.repository("outer")
        (outer / "inner").mkdir()
        (outer / ".gitmodules").write_text(
            '[submodule "inner"]\n\tpath = inner\n'
            f"\turl = http://127.0.0.1:{other.server_port}/code.git\n"
        )
        commit = git(origin.folder / "code", "rev-parse", "HEAD").strip()
        git(outer, "update-index", "--add", "--cacheinfo", f"160000,{commit},inner")
        origin.publish("outer")
        with pytest.raises(FailedError, match="could not clone"):
            machine.clone(f"{origin.url}/outer.git")
        other.shutdown()
    assert shown == []
    assert "inner" in capfd.readouterr().err
    assert not [*machine.work.iterdir()]


def test_without_a_credential_nobody_is_asked_and_the_ways_are_told(
    machine: Machine, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "gitconfig").write_text("")
    with pytest.raises(FailedError, match="could not clone") as raised:
        machine.clone(f"{origin.url}/code.git")
    assert "gh auth login" in str(raised.value.hint)
    assert not [*machine.work.iterdir()]


@pytest.mark.parametrize("link", [False, True], ids=["a folder", "a link to nowhere"])
def test_what_has_its_name_is_left_as_it_is(machine: Machine, origin: Origin, link: bool) -> None:
    if link:
        (machine.work / "code").symlink_to("nowhere")
    else:
        (machine.work / "code").mkdir()
    with pytest.raises(UsageError, match="Nothing was changed"):
        machine.clone(f"{origin.url}/code.git")
    assert not machine.clone(f"{origin.url}/code.git", again=True).new
    assert [one.name for one in machine.work.iterdir()] == ["code"]
    assert not (machine.work / "code/words").exists()


@pytest.fixture
def agent(machine: Machine, tmp_path: Path) -> Iterator[None]:
    """One with a key."""
    key, socket = tmp_path / "key", tmp_path / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as child:
        machine.world = dataclasses.replace(
            machine.world, environment={**machine.world.environment, "SSH_AUTH_SOCK": str(socket)}
        )
        while not socket.exists():
            assert child.poll() is None
        subprocess.run(
            ["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True
        )
        yield
        child.terminate()


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """The host key of git.example, its name hashed, and another's."""
    file, key = tmp_path / "known", tmp_path / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    file.write_text(f"git.example {public}\nother.example {public}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    return file


@pytest.mark.usefixtures("agent")
def test_by_ssh_an_agent_is_lent_and_the_hosts_key_is_this_computers(
    machine: Machine, known: Path
) -> None:
    for _ in range(2):
        found = machine.clone("git@git.example:code.git", known, again=True)
    assert (found.folder, found.new) == ("code", False)
    assert (machine.work / "code/words").read_text() == "of main"
    there, on, *_ = machine.connections()
    assert "ForwardAgent=yes" in there
    assert "StrictHostKeyChecking=yes" in on
    (line,) = (machine.home / ".ssh/known_hosts").read_text().splitlines()
    assert line in known.read_text().splitlines()


@pytest.mark.usefixtures("agent")
def test_a_host_key_is_never_taken_on_trust(machine: Machine, known: Path) -> None:
    with pytest.raises(FailedError, match=r"new\.example") as raised:
        machine.clone("git@new.example:a/b", known)
    assert raised.value.hint == "Connect once, and compare: ssh -T git@new.example"
    assert not machine.log.exists()


def test_without_an_agent_there_is_a_way_to_one(machine: Machine) -> None:
    environment = {**machine.world.environment}
    environment.pop("SSH_AUTH_SOCK", None)
    machine.world = dataclasses.replace(machine.world, environment=environment)
    with pytest.raises(FailedError, match="No agent") as raised:
        machine.clone("git@git.example:a/b")
    assert "ssh-add" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "https://github.com/me/x",
            Repository("https://github.com/me/x", None, "x", "github.com", ssh=False),
        ),
        (
            "https://host:8443/x.git@v1.0",
            Repository("https://host:8443/x.git", "v1.0", "x", "host:8443", ssh=False),
        ),
        (
            "git@github.com:me/x.git",
            Repository("git@github.com:me/x.git", None, "x", "github.com", ssh=True),
        ),
        (
            "git@host:x@feature/y",
            Repository("git@host:x", "feature/y", "x", "host", ssh=True),
        ),
        (
            "ssh://me@host:2222/~/deep/x.git@main",
            Repository("ssh://me@host:2222/~/deep/x.git", "main", "x", "host:2222", ssh=True),
        ),
        ("https://me:secret@github.com/me/x", None),
        ("https://token@github.com/me/x", None),
        ("http://github.com/me/x", None),
        ("git@host:-x", None),
        ("git@-oProxyCommand=x:a", None),
        ("git@host:..", None),
        ("git@host:a b", None),
        ("ext::sh -c x", None),
        ("/here/x", None),
        ("", None),
    ],
)
def test_an_address_is_read_or_refused(text: str, found: Repository | None) -> None:
    if found is None:
        with pytest.raises(SettingsError) as raised:
            git_access.parse(text)
        assert "secret" not in raised.value.message
        assert "token@" not in raised.value.message
    else:
        assert git_access.parse(text) == found
        assert git_access.is_by_ssh(text) == found.ssh


def test_a_credential_does_not_print_its_password() -> None:
    assert SECRET not in repr(Credential("me", SECRET))
