"""The phase services: what is fetched is what Terraform sent, or nothing of it is used."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MachineRoot
from wrapper import console

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "etc/systemd/system/jupyter-clouds-own.service"
PROGRAM = "opt/jupyter-clouds/services/own.py"
FILES = {UNIT: "[Unit]\n", PROGRAM: "#!/usr/bin/python3\nprint(1 < 2)\n"}
QUICK = ("import services", "services.PAUSE = 0.01", "services.services()")


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    found = MachineRoot(tmp_path)
    found.tool("systemctl", f"echo $* >> {tmp_path}/systemctl")
    offer(found, FILES)
    return found


def offer(machine: MachineRoot, files: dict[str, str], sha256: str | None = None) -> None:
    """The bucket holds these files; the machine was told of them, or of other ones."""
    machine.download = json.dumps(files).encode()
    machine.settings(
        services={
            "url": f"{machine.url}/programs.json",
            "sha256": sha256 or hashlib.sha256(machine.download).hexdigest(),
        }
    )


def systemctl(machine: MachineRoot) -> list[str]:
    path = machine.root / "systemctl"
    return path.read_text().splitlines() if path.exists() else []


def test_programs_are_laid_out_and_started(machine: MachineRoot) -> None:
    assert machine.phase("services").returncode == 0

    for name, text in FILES.items():
        assert (machine.root / name).read_text() == text
    assert (machine.root / PROGRAM).stat().st_mode & 0o777 == 0o755
    assert (machine.root / UNIT).stat().st_mode & 0o777 == 0o644
    start = "start --no-block jupyter-clouds-services.target"
    assert systemctl(machine) == ["daemon-reload", start]


def test_a_later_boot_starts_them_without_the_network(machine: MachineRoot) -> None:
    machine.phase("services")
    machine.python(["import clouds, os, time", "path = clouds.VAR / 'services.stamp'", *WAIT])
    before = len(machine.requests)

    assert machine.phase("services").returncode == 0

    assert len(machine.requests) == before
    assert systemctl(machine)[-1] == "start --no-block jupyter-clouds-services.target"


# The stamp is written once all is on the disk, which nobody waits for.
WAIT = ["while not path.exists(): time.sleep(0.02)"]


def test_what_is_not_there_yet_is_waited_for(machine: MachineRoot) -> None:
    # No bucket, no object, no policy for this address, S3 busy; a connection that is lost.
    machine.replies = [(404, None), (403, None), (503, None), (200, 20)]

    machine.python(QUICK)

    assert (machine.root / PROGRAM).read_text() == FILES[PROGRAM]
    assert len(machine.requests) == 5


def test_it_is_given_up_in_words_that_name_the_way_out(machine: MachineRoot) -> None:
    machine.replies = [(403, None)] * 9

    said = machine.python(
        [
            "import services",
            "services.PATIENCE = 0",
            "try: services.services()",
            "except SystemExit as error: print(error)",
        ]
    )

    assert "403" in said
    assert "set services_url" in said
    assert systemctl(machine) == []


@pytest.mark.parametrize(
    ("files", "sha256", "said"),
    [
        (FILES, "0" * 64, "wrong checksum"),
        ({**FILES, "../outside": "x"}, None, "no paths below the root"),
        ({**FILES, "opt/../../outside": "x"}, None, "no paths below the root"),
        ({**FILES, "/tmp/outside": "x"}, None, "no paths below the root"),  # noqa: S108 - a bad one
    ],
    ids=["checksum", "parent", "parent-inside", "absolute"],
)
def test_nothing_is_used_of_what_was_not_sent(
    machine: MachineRoot, files: dict[str, str], sha256: str | None, said: str
) -> None:
    offer(machine, files, sha256)

    assert machine.phase("services").returncode == 1

    (phase,) = console.parse(machine.console()).failures
    assert said in phase.log[-1]
    assert not (machine.root / PROGRAM).exists()
    assert not (machine.root.parent / "outside").exists()
    assert systemctl(machine) == []


def test_another_text_replaces_the_first(machine: MachineRoot) -> None:
    machine.phase("services")
    offer(machine, {PROGRAM: "#!/bin/sh\n"})

    assert machine.phase("services").returncode == 0

    assert (machine.root / PROGRAM).read_text() == "#!/bin/sh\n"
