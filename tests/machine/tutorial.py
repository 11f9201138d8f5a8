"""The tutorial's machine, made as its page says, with a user with sudo besides."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.shells import Shell, shell_to, ssh_key
from tests.machine.story import Story
from tests.machine.typed import ROOT, UP_SECONDS, document, stop_if_idle, wrapper
from wrapper import local
from wrapper.aws import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Machine:
    """A deployment on the embedded EC2, a directory of this computer, and a user with sudo."""

    name: str
    environment: dict[str, str]
    made: dict[str, Any]
    shell: Shell
    aws: Aws
    here: Path
    story: Story

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`python -m wrapper run NAME ...`, in the directory."""
        return subprocess.Popen(
            [sys.executable, "-m", "wrapper", "run", self.name, *words],
            cwd=self.here,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        child = self.start(*words)
        out, said = child.communicate(timeout=UP_SECONDS)
        return child.returncode, out, said

    def going(self) -> list[str]:
        told = json.loads(self.run("--list", "--json")[1])
        return [one["name"] for one in told if one["state"] == "running"]

    def as_root(self, command: str) -> str:
        done = self.shell.run(f"sudo {command}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self) -> str:
        found = self.aws.instance(self.made["instance_id"])
        return found.state if found else "absent"

    def fetched(self) -> Path:
        """Where the newest results are."""
        return max((self.here / "runs").iterdir())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("runs")
    with ExitStack() as stack:
        yield _up(folder, stack)


def _up(folder: Path, stack: ExitStack) -> Machine:
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"runs-{secrets.token_hex(3)}"
    if not local.status().running:
        stack.callback(stop_if_idle, environment)
    key = ssh_key(folder)
    down = ("down", name, "--local", "--yes", "--data", "delete")
    stack.callback(wrapper, *down, environment=environment)
    here = folder / "here"
    (here / "trips").mkdir(parents=True)
    # What the page leaves to its reader.
    story = Story(
        here / "trips",
        name,
        {
            **environment,
            "JUPYTER_CLOUDS_LOCAL": "1",
            "JUPYTER_CLOUDS_GENERATE_PASSWORD": "1",
            "JUPYTER_CLOUDS_ARCH": "x86_64",
            "JUPYTER_CLOUDS_DATA_VOLUME_SIZE": "4",
            "JUPYTER_CLOUDS_SSH_PUBLIC_KEY": f"{key}.pub",
            "JUPYTER_CLOUDS_SSH_CIDRS": "198.18.0.0/15",
        },
    )
    story.type_to("python -m wrapper up --memory 64 --sync .", answers="y\n")
    made = document(wrapper("status", name, "--json", environment=environment))
    shell = shell_to(made, key, folder)
    aws = Aws(environment=local.status().env, region=made["region"])
    return Machine(name, environment, made, shell, aws, here, story)
