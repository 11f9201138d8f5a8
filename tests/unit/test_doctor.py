"""The doctor: what is missing is named with what mends it, and both ways are told apart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from wrapper import doctor
from wrapper.aws import Aws
from wrapper.deployment.world import World
from wrapper.doctor import Finding
from wrapper.home import Home, Place, Record, root
from wrapper.local import Requirement, Status
from wrapper.terraform import Terraform

if TYPE_CHECKING:
    from pathlib import Path


class Embedded:
    """An embedded EC2 that lacks what it is told to lack."""

    def __init__(self, *missing: Requirement) -> None:
        self._missing = [*missing]

    def missing(self) -> list[Requirement]:
        """As told."""
        return self._missing

    def status(self) -> Status:
        """It does not run."""
        return Status(running=False)


def _world(tmp_path: Path, embedded: Embedded, **environment: str) -> World:
    def unused(*_: Any, **__: Any) -> Any:
        pytest.fail("the doctor only looks")

    return World(
        environment={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment},
        aws=Aws,
        terraform=Terraform,
        pin=unused,
        notebook=unused,
        embedded=lambda: embedded,  # type: ignore[arg-type,return-value] # the half it asks
        public_address=unused,
        report=unused,
        confirm=unused,
    )


def _by_name(found: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found}


def test_all_is_well(tmp_path: Path, ec2_environment: dict[str, str]) -> None:
    found = doctor.examine(_world(tmp_path, Embedded(), **ec2_environment))
    assert [one for one in found if not one.ok] == []
    assert doctor.usable(found)
    assert "us-east-1" in _by_name(found)["account"].detail


def test_what_is_missing_comes_with_the_command_that_mends_it(
    tmp_path: Path, ec2_environment: dict[str, str]
) -> None:
    lacking = Requirement("systemd-nspawn", "boots machines", "apt-get install systemd-container")
    found = doctor.examine(_world(tmp_path, Embedded(lacking), **ec2_environment))
    missing = _by_name(found)["systemd-nspawn"]
    assert (missing.ok, missing.mend) == (False, "apt-get install systemd-container")
    assert doctor.usable(found), "AWS is a way of its own"


def test_no_account_leaves_the_embedded_ec2(tmp_path: Path) -> None:
    found = doctor.examine(_world(tmp_path, Embedded(), AWS_CONFIG_FILE="/nonexistent"))
    account = _by_name(found)["account"]
    assert not account.ok
    assert account.mend
    assert doctor.usable(found)


def test_without_terraform_there_is_no_way(tmp_path: Path, ec2_environment: dict[str, str]) -> None:
    found = doctor.examine(_world(tmp_path, Embedded(), **ec2_environment, PATH=str(tmp_path)))
    terraform = _by_name(found)["terraform"]
    assert not terraform.ok
    assert "https://developer.hashicorp.com/terraform/install" in (terraform.mend or "")
    assert not doctor.usable(found)


@pytest.mark.parametrize(
    ("missing", "usable"),
    [
        ((), True),
        (("aws",), True),
        (("local",), True),
        (("aws", "local"), False),
        (("both",), False),
    ],
    ids=str,
)
def test_one_whole_way_is_enough(missing: tuple[Any, ...], usable: bool) -> None:
    found = [Finding("x", ok=False, detail="", way=way) for way in missing]
    assert doctor.usable(found) is usable


def test_without_rsync_a_notebook_can_be_made_all_the_same(
    tmp_path: Path, ec2_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_terraform", lambda _: iter(()))
    world = _world(tmp_path, Embedded(), **ec2_environment)
    monkeypatch.setenv("PATH", "/nowhere")
    found = doctor.examine(world)
    missing = {one.name: one.mend or "" for one in found if not one.ok}
    assert missing.keys() == {"ssh", "rsync", "unison"}
    assert "apt-get install rsync" in missing["rsync"]
    assert doctor.usable(found)


def test_a_damaged_record_is_no_lack_of_this_computer(
    tmp_path: Path, ec2_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, Embedded(), **ec2_environment)
    made = Home(root(world.environment) / "notebook")
    made.create()
    made.write("deployment.json", "{")
    monkeypatch.setattr(doctor, "_terraform", lambda _: iter(()))

    found = doctor.examine(world)

    assert {"ssh", "rsync", "unison"} <= _by_name(found).keys()
    assert doctor.usable(found)


@pytest.mark.parametrize("asked", [True, False])
def test_session_managers_programs_are_missed_where_a_notebook_wants_them(
    tmp_path: Path, ec2_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, asked: bool
) -> None:
    world = _world(tmp_path, Embedded(), **ec2_environment)
    made = Home(root(world.environment) / "notebook")
    made.create()
    made.remember(Record("notebook", Place("aws", "us-east-1", "123456789012")))
    made.write_variables({"session_manager": asked})
    monkeypatch.setattr(doctor, "_terraform", lambda _: iter(()))
    monkeypatch.setenv("PATH", "/nowhere")

    found = _by_name(doctor.examine(world))

    assert ("Session Manager" in found) is asked
    if asked:
        assert "aws is missing" in found["Session Manager"].detail
        assert found["Session Manager"].way == "files"
