"""GPUs: whose image has the driver, and what `check` says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import pytest

from tests.unit.worlds import bare_world
from wrapper import architecture
from wrapper.deployment import gpu
from wrapper.deployment.world import Address
from wrapper.errors import GpuError
from wrapper.gpus import nvidia
from wrapper.home import Home, Place, Record
from wrapper.notebook import Pin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account

SMI = '#!/bin/sh\ntest "$1" = --query-gpu=name,memory.total || exit 9\n'
TWO = "printf 'NVIDIA A10G, 23028 MiB\\nNVIDIA A10G, 23028 MiB\\n'\n"
MISMATCH = "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18\n"


class Kernel:
    """Runs cells in a process of its own, where `nvidia-smi` is what the test says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def login(self) -> None:
        """Anybody may."""

    def run_cell(self, code: str) -> str:
        path = {**os.environ, "PATH": str(self.path)}
        run = [sys.executable, "-c", code]
        return subprocess.run(run, env=path, capture_output=True, text=True, check=True).stdout


@dataclass
class Speak:
    """Whoever speaks to a notebook speaks to that kernel."""

    path: Path

    def __call__(self, *_: object, **__: object) -> Kernel:
        return Kernel(self.path)


@pytest.fixture
def checked(tmp_path: Path, account: Account) -> Callable[..., list[Any]]:
    """What `check` reports of a machine of that type, whose `nvidia-smi` is that."""

    def check(
        instance_type: str, smi: str | None, kind: Literal["aws", "local"] = "aws"
    ) -> list[Any]:
        if smi:
            (tmp_path / "nvidia-smi").write_text(SMI + smi)
            (tmp_path / "nvidia-smi").chmod(0o755)
        told: list[Any] = []
        world = bare_world(tmp_path, account, None, told)
        home = Home(tmp_path / "gpus")
        home.create()
        home.write_password("not asked for")
        speak: Any = Speak(tmp_path)
        world = replace(world, notebook=speak)
        record = Record("gpus", Place(kind, "us-east-1", "1"), {"instance_type": instance_type})
        gpu.check(world, home, record, Address("203.0.113.9"), Pin("", "ab", "cd"))
        return [(one.name, one.ok, one.detail) for one in told]

    return check


def test_the_gpus_are_named(checked: Callable[..., list[Any]]) -> None:
    two = "NVIDIA A10G, 23028 MiB; NVIDIA A10G, 23028 MiB"
    assert checked("g5.12xlarge", TWO) == [("GPU", True, two)]


@pytest.mark.parametrize(
    ("smi", "said"),
    [(None, "No such file"), (MISMATCH, "version mismatch"), ("true\n", "nothing")],
    ids=["no-driver", "another-driver", "no-gpu"],
)
def test_a_machine_whose_gpus_no_kernel_sees_fails_the_check(
    checked: Callable[..., list[Any]], smi: str | None, said: str
) -> None:
    with pytest.raises(GpuError, match=said):
        checked("g5.xlarge", smi)


@pytest.mark.parametrize("instance_type", ["t3.medium", "p3dn.24xlarge", "g4ad.xlarge"])
def test_no_gpu_is_looked_for_where_no_image_has_the_driver(
    checked: Callable[..., list[Any]], instance_type: str
) -> None:
    assert checked(instance_type, None) == []


def test_the_embedded_ec2_says_that_it_has_none(checked: Callable[..., list[Any]]) -> None:
    assert checked("g5.xlarge", None, "local") == [
        ("GPU", True, "not looked for: no g5.xlarge is real here")
    ]


def test_the_rule_by_name_holds_for_every_type_that_ec2_has(account: Account) -> None:
    pages = account.client().get_paginator("describe_instance_types").paginate()
    found = {
        one["InstanceType"]
        for page in pages
        for one in page["InstanceTypes"]
        for gpu_of_it in one.get("GpuInfo", {}).get("Gpus", [])
        if gpu_of_it["Manufacturer"] == "NVIDIA" and gpu_of_it["Count"] > 0
    }
    # Volta: NVIDIA's open driver begins with Turing.
    volta = {"p3dn.24xlarge"}
    assert len(found) > 40
    every = {one["InstanceType"] for page in pages for one in page["InstanceTypes"]}
    assert {one for one in every if nvidia(one)} == found - volta


def test_the_architecture_by_name_is_ec2s(account: Account) -> None:
    pages = account.client().get_paginator("describe_instance_types").paginate()
    of_type = {
        one["InstanceType"]: "arm64"
        if "arm64" in one["ProcessorInfo"]["SupportedArchitectures"]
        else "x86_64"
        for page in pages
        for one in page["InstanceTypes"]
    }
    assert {*of_type.values()} == {"arm64", "x86_64"}
    wrong = {one for one, its in of_type.items() if architecture.of(one) != its}
    assert {one for one in wrong if not one.startswith("mac")} == set()
