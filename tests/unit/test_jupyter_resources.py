"""What the machine says of its processors, memory and GPUs, from the kernel's own words."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine_tree import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "services/opt/jupyter-clouds/jupyter/jupyter_clouds_door/resources.py"
STAT = """\
cpu  1000 200 300 8000 500 0 0 0 700 0
cpu0 500 100 150 4000 250 0 0 0 350 0
cpu1 500 100 150 4000 250 0 0 0 350 0
intr 12345 0 0
ctxt 99
"""


@pytest.fixture(scope="module")
def resources() -> Any:
    spec = importlib.util.spec_from_file_location("clouds_resources", TEMPLATES / SOURCE)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_waiting_for_a_disk_is_no_use_of_a_processor(resources: Any) -> None:
    found = resources.processors(STAT, "0.52 0.40 0.30 1/234 5678")
    tick = resources.TICK
    assert found == {"cores": 2, "used": 1500 / tick, "total": 10000 / tick, "load": 0.52}


def test_memory_is_what_programs_could_have(resources: Any) -> None:
    text = "MemTotal:  1024 kB\nMemFree:  10 kB\nMemAvailable:  512 kB\nHugePages_Total:  0\n"
    assert resources.memory(text) == {"total": 2**20, "available": 2**19}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", []),
        ("Tesla T4, 37, 1024, 15360\n", [("Tesla T4", 37, 2**30, 15 * 2**30)]),
        ("NVIDIA A10G, with a comma, 0, 1, 2\n", [("NVIDIA A10G, with a comma", 0, 2**20, 2**21)]),
        ("Tesla T4, [N/A], 1, 2\n", [("Tesla T4", None, 2**20, 2**21)]),
        ("NVIDIA-SMI has failed because it could not reach the driver\n", []),
    ],
    ids=["none", "one", "comma", "unknown number", "words"],
)
def test_each_gpu_is_told_with_what_is_known_of_it(
    resources: Any, said: str, found: list[tuple[Any, ...]]
) -> None:
    told = [tuple(one.values()) for one in resources.gpus(said)]
    assert told == found


def test_a_gpus_program_is_asked_once_by_many(
    resources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho >> {tmp_path}/asked\necho 'Tesla T4, 5, 1, 2'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    async def many() -> list[Any]:
        smi = resources.Smi()
        return await asyncio.gather(*(smi.ask() for _ in range(5)))

    answers = asyncio.run(many())
    assert [one[0]["percent"] for one in answers] == [5] * 5
    assert (tmp_path / "asked").read_text() == "\n"


def test_a_gpus_program_that_hangs_is_ended(
    resources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(resources, "SILENCE", 0.1)
    assert asyncio.run(resources.Smi().ask()) == []
