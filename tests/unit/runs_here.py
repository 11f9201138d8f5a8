"""`run`, typed here: a deployment that this computer knows, and files to run on its machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import unattended
from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, run_plan
from wrapper.deployment.events import Printed
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.unit.unattended import Unattended
    from wrapper.deployment.attending import Fetched
    from wrapper.deployment.world import World


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unattended]:
    with unattended.machine(tmp_path_factory.mktemp("runs")) as found:
        yield found


class Here:
    """This computer: a folder, and a deployment that it knows."""

    def __init__(self, world: World, name: str, told: list[Any]) -> None:
        self.world, self.name, self.told = world, name, told

    def run(self, plan: run_plan.Plan) -> Fetched:
        return deployment.run(self.world, self.name, plan)

    def start(self, plan: run_plan.Plan) -> str:
        return deployment.start_run(self.world, self.name, plan).name

    def attend(self, which: str) -> Fetched:
        return deployment.attend(self.world, self.name, which)

    @property
    def printed(self) -> str:
        return "".join(one.text for one in self.told if isinstance(one, Printed))


@pytest.fixture
def here(
    tmp_path: Path,
    account: Account,
    ec2: EC2Client,
    name: str,
    machine: Unattended,
    monkeypatch: pytest.MonkeyPatch,
) -> Here:
    told: list[Any] = []
    world = dataclasses.replace(
        bare_world(tmp_path, account, StandIn(), told),
        pin=lambda *_, **__: machine.pinned,
        notebook=machine.notebook,
    )
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password("secret")
    outputs = {"instance_id": launch(ec2, name), "public_ip": "198.18.0.9"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record(name, place, outputs=outputs, key_sha256="a" * 64))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return Here(world, name, told)


def notebook(*cells: str | tuple[str, dict[str, Any]], name: str = "train.ipynb") -> Path:
    """A notebook of these cells in the current directory."""
    made = [one if isinstance(one, tuple) else (one, {}) for one in cells]
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "id": f"c{n}", "source": source, "metadata": metadata}
            | {"outputs": [], "execution_count": None}
            for n, (source, metadata) in enumerate(made)
        ],
    }
    path = Path(name)
    path.write_text(json.dumps(document))
    return path


def script(text: str) -> Path:
    path = Path("job.py")
    path.write_text(text)
    return path
