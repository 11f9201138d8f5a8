"""The phases that install: downloads that break, checksums, half-made prefixes, environments."""

from __future__ import annotations

import platform

import pytest

from tests.unit.installer import INSTALLER, machine
from tests.unit.machine_root import MIB, SILENT, MachineRoot

__all__ = ["machine"]  # a fixture, for pytest to find here

GIB = 1024 * MIB


def test_conda_is_on_the_path_of_everybody(machine: MachineRoot) -> None:
    assert machine.phase("conda").returncode == 0

    for name in ("conda", "mamba"):
        link = machine.root / "usr/local/bin" / name
        assert link.resolve() == machine.root / "opt/conda/bin" / name
    assert (machine.root / "opt/conda/envs").stat().st_mode & 0o7777 == 0o1775


def test_a_download_goes_on_where_the_connection_was_lost(machine: MachineRoot) -> None:
    machine.replies = [(206, 20), (206, 30)]

    assert machine.phase("conda").returncode == 0
    assert machine.requests == [0, 20, 50]


@pytest.mark.slow
def test_a_connection_that_falls_silent_is_given_up(machine: MachineRoot) -> None:
    # As when the Elastic IP replaces the address that the connection came from.
    machine.replies = [(206, SILENT)]

    assert machine.phase("conda").returncode == 0
    assert len(machine.requests) == 2


def test_a_server_that_cannot_resume_is_read_from_the_start(machine: MachineRoot) -> None:
    machine.replies = [(206, 20), (200, None)]

    assert machine.phase("conda").returncode == 0


def test_a_busy_server_is_asked_again(machine: MachineRoot) -> None:
    machine.replies = [(503, None), (503, None)]

    assert machine.phase("conda").returncode == 0
    assert "again in 0.01 s" in machine.log("conda")


def test_a_missing_installer_is_not_asked_for_again(machine: MachineRoot) -> None:
    machine.replies = [(404, None)]

    machine.phase("conda")

    assert len(machine.requests) == 1
    assert "set miniforge_url" in machine.status()["conda"]["error"]


def test_a_wrong_checksum_stops_and_runs_nothing(machine: MachineRoot) -> None:
    machine.installer('touch "$CLOUDS_ROOT/ran"', sha256="f" * 64)

    assert machine.phase("conda").returncode == 1

    assert not (machine.root / "ran").exists()
    assert len(machine.requests) == 1
    assert "wrong checksum" in machine.console()
    assert "expected " + "f" * 64 in machine.console()


def test_a_wrong_checksum_is_downloaded_anew_at_the_next_boot(machine: MachineRoot) -> None:
    machine.installer(INSTALLER, sha256="f" * 64)
    machine.phase("conda")
    machine.installer(INSTALLER)

    assert machine.phase("conda").returncode == 0
    assert machine.requests == [0, 0]


def test_what_a_cut_off_installation_left_goes_and_environments_stay(
    machine: MachineRoot,
) -> None:
    prefix = machine.root / "opt/conda"
    (prefix / "envs/mine").mkdir(parents=True)
    (prefix / "pkgs").mkdir()
    (prefix / "half").symlink_to("/etc")

    assert machine.phase("conda").returncode == 0
    assert not (prefix / "half").is_symlink()
    assert (prefix / "envs/mine").is_dir()


def test_at_the_next_boot_nothing_is_downloaded(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.phase("conda")

    assert len(machine.requests) == 1


def test_an_architecture_without_an_installer_is_named(machine: MachineRoot) -> None:
    machine.settings(miniforge={})

    machine.phase("conda")

    assert f"no Miniforge for {platform.machine()}" in machine.status()["conda"]["error"]


@pytest.mark.parametrize(
    ("limits", "enough"),
    [
        pytest.param({"proc/meminfo": "MemTotal: 500000 kB\n"}, False, id="small machine"),
        pytest.param({"sys/fs/cgroup/memory.max": f"{GIB // 2}\n"}, False, id="cgroup v2"),
        pytest.param({"sys/fs/cgroup/memory.max": "max\n"}, True, id="cgroup v2 unlimited"),
        pytest.param(
            {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB // 2}\n"}, False, id="cgroup v1"
        ),
        pytest.param(
            {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
            True,
            id="cgroup v1 unlimited",
        ),
    ],
)
def test_too_little_memory_is_said_before_anything_is_killed(
    machine: MachineRoot, limits: dict[str, str], enough: bool
) -> None:
    for name, text in limits.items():
        path = machine.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert (machine.phase("conda").returncode == 0) is enough
    assert ("too little memory" in machine.console()) is not enough
