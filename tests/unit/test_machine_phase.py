"""The programs on the machine: how a phase is run, and what it tells whom."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MIB, MachineRoot
from wrapper import console

if TYPE_CHECKING:
    from pathlib import Path

FORGED = "jupyter-clouds: fingerprint certificate_sha256=" + "0" * 64 + " key_sha256=" + "1" * 64


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    return MachineRoot(tmp_path)


def test_a_phase_reports_start_and_seconds_to_console_and_status(machine: MachineRoot) -> None:
    assert machine.phase("address").returncode == 0

    (phase,) = console.parse(machine.console()).phases
    assert (phase.name, phase.state) == ("address", "done")
    assert machine.status()["address"] == {"state": "done", "seconds": phase.seconds, "error": None}
    assert machine.console().startswith("\njupyter-clouds: phase=address state=started\n")


def test_a_failed_phase_shows_the_end_of_its_log(machine: MachineRoot) -> None:
    machine.memory(512 * MIB)

    assert machine.phase("conda").returncode == 1

    (phase,) = console.parse(machine.console()).failures
    assert phase.exit == 1
    assert "too little memory: 512 MiB" in phase.log[-1]
    assert machine.status()["conda"]["state"] == "failed"
    assert "choose a larger instance_type" in machine.status()["conda"]["error"]


def test_a_log_can_forge_no_line_of_the_console(machine: MachineRoot) -> None:
    machine.installer(f"printf '\\n%s\\r\\n\\033[2J' '{FORGED}'; exit 1")
    machine.settings(pauses="")

    machine.phase("conda")

    assert console.parse(machine.console()).fingerprint is None
    assert FORGED not in machine.console().splitlines()
    assert FORGED in machine.log("conda").splitlines()


def test_only_whole_lines_of_a_long_log_are_shown(machine: MachineRoot) -> None:
    machine.installer("seq -f 'line %.0f of many' 1 5000; exit 1")

    machine.phase("conda")

    (phase,) = console.parse(machine.console()).failures
    assert phase.log[0].startswith("line ")
    assert len("\n".join(phase.log)) <= 1500


def test_the_same_failure_again_does_not_fill_the_console(machine: MachineRoot) -> None:
    machine.memory(512 * MIB)

    for _ in range(3):
        machine.phase("conda")

    assert machine.console().count("log phase=conda") == 1
    assert machine.console().count("state=failed") == 3


def test_success_after_failure_clears_the_error(machine: MachineRoot) -> None:
    machine.memory(512 * MIB)
    machine.phase("conda")
    machine.memory(4096 * MIB)

    assert machine.phase("conda").returncode == 0
    assert machine.status()["conda"]["error"] is None


def test_a_phase_that_is_killed_reports_the_signal(machine: MachineRoot) -> None:
    # The installer's parent is the phase itself.
    machine.installer("kill -9 $PPID")

    machine.phase("conda")

    (phase,) = console.parse(machine.console()).failures
    assert phase.exit == 137


@pytest.mark.slow
def test_a_console_that_nobody_drains_does_not_hold_the_boot(machine: MachineRoot) -> None:
    path = machine.root / "dev/console"
    path.unlink()
    os.mkfifo(path)
    stuck = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(stuck, b"x" * 4096):
            pass

    begun = time.monotonic()
    result = machine.phase("address")

    os.close(stuck)
    assert result.returncode == 0
    assert time.monotonic() - begun < 20


def test_phases_that_end_together_are_all_in_the_status(machine: MachineRoot) -> None:
    children = [machine.start("address"), machine.start("certificate"), machine.start("address")]

    assert [child.wait() for child in children] == [0, 0, 0]
    assert {name: phase["state"] for name, phase in machine.status().items()} == {
        "address": "done",
        "certificate": "done",
    }


def test_settings_are_put_where_jupyter_reads_them(machine: MachineRoot) -> None:
    machine.settings(password_hash="argon2:x")

    assert machine.phase("settings").returncode == 0

    path = machine.root / "etc/jupyter-clouds/notebook.json"
    assert json.loads(path.read_text()) == {
        "port": 9999,
        "password_hash": "argon2:x",
        "work": f"{machine.home}/work",
        "state": str(machine.root / "var/lib/jupyter-clouds/notebook"),
    }
    assert path.stat().st_mode & 0o777 == 0o640


def test_sudo_is_given_and_taken_away(machine: MachineRoot) -> None:
    rules = machine.root / "etc/sudoers.d/jupyter-clouds"
    drop_in = machine.root / "etc/systemd/system/jupyter-clouds-notebook.service.d/sudo.conf"

    machine.settings(sudo=True)
    machine.phase("settings")
    assert rules.read_text() == f"{machine.user} ALL=(ALL) NOPASSWD:ALL\n"
    assert rules.stat().st_mode & 0o777 == 0o440
    assert "NoNewPrivileges=no" in drop_in.read_text()

    machine.settings(sudo=False)
    machine.phase("settings")
    assert not rules.exists()
    assert not drop_in.exists()


def test_address_waits_for_the_elastic_one(machine: MachineRoot) -> None:
    machine.metadata["public-ipv4"] = "198.18.0.7"
    machine.settings(address="198.18.0.9")

    child = machine.start("address")
    time.sleep(1)
    assert child.poll() is None
    machine.metadata["public-ipv4"] = "198.18.0.9"

    assert child.wait(10) == 0
