"""The bucket as a folder: what rclone is told, what the user has, what is said where it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine_tree import lay_out
from tests.unit.machine_root import MachineRoot

if TYPE_CHECKING:
    from pathlib import Path


class Machine(MachineRoot):
    """One that has a bucket, and an rclone that notes what it is asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.programs = lay_out(root)
        self.metadata["iam/security-credentials/"] = "of-the-machine"
        self.tool("fusermount3", "exit 0")
        self.tool("systemctl", 'echo "$@" >>"$CLOUDS_ROOT/systemctl"')
        self.rclone()
        self.told()

    def told(self, **more: str | None) -> None:
        told = {"bucket": "b", "endpoint": None, "prefix": "p/q", "region": "eu-west-1", **more}
        (self.root / "etc/jupyter-clouds/s3.json").write_text(json.dumps(told))

    def rclone(self, error: str | None = None) -> None:
        """It lists, or fails with these words."""
        noting = 'echo "$@" >"$CLOUDS_ROOT/asked"; env >"$CLOUDS_ROOT/env"'
        ending = "exit 0" if error is None else f"echo {error!r} >&2; exit 1"
        self.tool("rclone", f"{noting}; {ending}")

    def show(self, **more: str) -> int:
        """As the unit does; its exit code."""
        return subprocess.run(
            [sys.executable, "-B", self.programs / "services/s3.py"],
            env=self.environment() | {"CLOUDS_S3_PATIENCE": "0"} | more,
            check=False,
            timeout=60,
        ).returncode

    def unit(self) -> dict[str, str]:
        """What the unit that mounts is given."""
        lines = (self.root / "run/jupyter-clouds/s3.env").read_text().splitlines()
        pairs = (line.partition("=")[::2] for line in lines)
        return {name: json.loads(value) for name, value in pairs}

    def work(self) -> Path:
        return self.root / self.home[1:] / "work"

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["s3"]
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def test_the_bucket_is_a_folder_in_the_work_folder(machine: Machine) -> None:
    assert machine.show() == 0

    assert machine.state()["state"] == "done"
    link = machine.work() / "s3"
    assert link.is_symlink()
    assert link.readlink() == machine.root / "mnt/jupyter-clouds-s3"
    assert link.owner() == machine.user
    started = (machine.root / "systemctl").read_text()
    assert started == "restart jupyter-clouds-s3-mount.service\n"
    assert machine.unit()["CLOUDS_PLACE"] == "clouds:b/p/q"


@pytest.mark.parametrize(
    ("endpoint", "provider", "styled"),
    [(None, "AWS", None), ("https://bucket.vpce.example", "Other", "true")],
)
def test_rclone_looks_and_mounts_with_the_role_alone(
    machine: Machine, endpoint: str | None, provider: str, styled: str | None
) -> None:
    machine.told(endpoint=endpoint)
    assert machine.show(AWS_CA_BUNDLE="/x", NO_PROXY="mine.example") == 0

    unit = machine.unit()
    ours = {name: unit[name] for name in unit if name.startswith("RCLONE_CONFIG_CLOUDS_")}
    assert ours.pop("RCLONE_CONFIG_CLOUDS_ENV_AUTH") == "true"
    assert ours.pop("RCLONE_CONFIG_CLOUDS_NO_CHECK_BUCKET") == "true"
    assert ours.pop("RCLONE_CONFIG_CLOUDS_PROVIDER") == provider
    assert ours.pop("RCLONE_CONFIG_CLOUDS_FORCE_PATH_STYLE", None) == styled
    assert ours.pop("RCLONE_CONFIG_CLOUDS_ENDPOINT", None) == endpoint
    assert ours == {"RCLONE_CONFIG_CLOUDS_REGION": "eu-west-1", "RCLONE_CONFIG_CLOUDS_TYPE": "s3"}
    # A proxy would give the machine's credentials another machine's.
    assert unit["NO_PROXY"] == "mine.example,169.254.169.254"
    seen = (machine.root / "env").read_text()
    assert "AWS_CA_BUNDLE" not in seen
    assert (machine.root / "asked").read_text().endswith("clouds:b/p/q/\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("AccessDenied: Access Denied status code: 403", "the machine's role may not list it"),
        ("error listing: directory not found", "there is no such bucket"),
        ("something: else", "something: else"),
        ("", "rclone ended with 1"),
    ],
)
def test_what_cannot_be_listed_is_said_and_nothing_is_mounted(
    machine: Machine, error: str, words: str
) -> None:
    machine.rclone(error)

    assert machine.show() == 1

    assert machine.state()["state"] == "failed"
    assert machine.state()["error"].startswith(f"bucket b/p/q: {words}")
    assert "phase=s3 state=failed" in machine.console()
    assert not (machine.root / "systemctl").exists()
    machine.rclone()
    assert machine.show() == 0


def test_a_machine_without_a_role_says_so(machine: Machine) -> None:
    del machine.metadata["iam/security-credentials/"]

    assert machine.show() == 1

    assert "the machine has no role" in machine.state()["error"]


def test_what_the_user_has_in_its_place_stays(machine: Machine) -> None:
    mine = machine.work() / "s3"
    mine.mkdir(parents=True)

    assert machine.show() == 0

    assert mine.is_dir()
    assert not mine.is_symlink()


@pytest.mark.parametrize(("dirty", "waits"), [("false", False), ("true", True)])
def test_a_stop_waits_for_what_was_not_sent(tmp_path: Path, dirty: str, waits: bool) -> None:
    root = MachineRoot(tmp_path / "machine").root
    notes = tmp_path / "cache/vfsMeta/clouds/b/file"
    notes.parent.mkdir(parents=True)
    notes.write_text(f'{{\n\t"Size": 1,\n\t"Dirty": {dirty}\n}}')
    script = lay_out(root) / "services/s3_sent.sh"
    environment = {**os.environ, "CLOUDS_S3_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(["sh", script], env=environment) as child:
        if waits:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(1)
            notes.unlink()
        assert child.wait(10) == 0
