"""The phases that install: downloads that break, checksums, half-made prefixes, environments."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MIB, SILENT, MachineRoot

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024 * MIB
# Installs a mamba and a conda that write down how they are called, make the prefix, and do what
# the test puts into $CLOUDS_ROOT/tools/then.
INSTALLER = r"""
mkdir -p "$4/bin"
cat >"$4/bin/mamba" <<'END'
#!/bin/bash
echo "${0##*/} $*" >>"$CLOUDS_ROOT/calls"
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin" "$2/lib/python3.12/site-packages/ipykernel"
. "$CLOUDS_ROOT/tools/then"
END
chmod 755 "$4/bin/mamba"
cp "$4/bin/mamba" "$4/bin/conda"
"""


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    root = MachineRoot(tmp_path)
    root.installer(INSTALLER)
    root.tool("then", "exit 0")
    here = tmp_path / "opt/jupyter-clouds"
    (here).mkdir(parents=True)
    (here / "server.txt").write_text("jupyterlab=4.6.*\nnotebook=7.*\n")
    (tmp_path / "etc/jupyter-clouds/environment.yml").write_text("dependencies: [python]\n")
    return root


def calls(machine: MachineRoot) -> list[str]:
    path = machine.root / "calls"
    return path.read_text().splitlines() if path.exists() else []


def stamped(machine: MachineRoot, name: str) -> bool:
    return (machine.root / f"var/lib/jupyter-clouds/{name}.stamp").exists()


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


def test_the_server_comes_from_conda_forge_alone(machine: MachineRoot) -> None:
    machine.phase("conda")

    assert machine.phase("server").returncode == 0

    (call,) = calls(machine)
    assert call == (
        "mamba create --override-channels --channel conda-forge jupyterlab=4.6.* notebook=7.*"
        f" --yes --quiet --prefix {machine.root}/opt/conda/envs/server"
    )


def test_jupyter_compiles_no_grammar_when_it_starts(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.phase("server")

    (packages,) = (machine.root / "opt/conda/envs/server/lib").glob("*/site-packages")
    code = (
        "import site, sys; site.addsitedir(sys.argv[1]); import jupyter_events; print(*sys.modules)"
    )
    modules = subprocess.check_output([sys.executable, "-c", code, packages], text=True).split()
    assert "jsonschema" in modules
    assert "lark" not in modules


def test_an_environment_is_made_once(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.phase("server")
    wait_for_stamp(machine, "server")
    machine.phase("server")

    assert len(calls(machine)) == 1


def wait_for_stamp(machine: MachineRoot, name: str) -> None:
    path = machine.root / "var/lib/jupyter-clouds" / name
    for _ in range(300):
        if path.with_suffix(".stamp").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"{name} is not stamped")


def test_a_failure_is_retried_with_conda_and_a_clean_prefix(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.tool("then", '[ -e "$2/left" ] && exit 9; touch "$2/left"; [[ $0 = */conda ]]')

    assert machine.phase("server").returncode == 0
    assert [call.split()[0] for call in calls(machine)] == ["mamba", "conda"]


def test_what_cannot_be_solved_is_not_tried_again(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.tool("then", "echo 'error    libmamba Could not solve for environment specs'; exit 1")

    assert machine.phase("environment").returncode == 1

    assert len(calls(machine)) == 1
    assert "Could not solve" in machine.status()["environment"]["error"]
    assert not stamped(machine, "environment")
    assert not (machine.root / "opt/jupyter-clouds/share/jupyter/kernels").exists()


@pytest.mark.parametrize(
    ("says", "tries"),
    [
        pytest.param("Could not resolve host: conda.example.org", 6, id="network"),
        pytest.param("Segmentation fault", 3, id="anything else"),
    ],
)
def test_patience_is_for_the_network(machine: MachineRoot, says: str, tries: int) -> None:
    machine.phase("conda")
    machine.settings(pauses="0.01 0.01 0.01 0.01 0.01")
    machine.tool("then", f"echo '{says}'; exit 1")

    machine.phase("server")

    assert len(calls(machine)) == tries
    assert (
        f"given up: {machine.root}/opt/conda/bin/conda ended with 1: {says}"
        == (machine.status()["server"]["error"])
    )


def test_a_power_loss_costs_the_half_made_environment_and_the_package_cache(
    machine: MachineRoot,
) -> None:
    machine.phase("conda")
    machine.tool("then", "kill -9 $PPID; sleep 60")
    machine.start("server").wait()
    cache = machine.root / "opt/conda/pkgs/half"
    cache.mkdir(parents=True)
    machine.tool("then", '[ ! -e "$2/half" ]')
    (machine.root / "opt/conda/envs/server/half").touch()

    assert machine.phase("server").returncode == 0
    assert not cache.exists()


def test_the_environment_becomes_the_kernel_that_every_notebook_asks_for(
    machine: MachineRoot,
) -> None:
    machine.phase("conda")

    assert machine.phase("environment").returncode == 0

    folder = machine.root / "opt/jupyter-clouds/share/jupyter/kernels/python3"
    spec = json.loads((folder / "kernel.json").read_text())
    prefix = f"{machine.root}/opt/conda/envs/notebook"
    assert spec["argv"][:3] == [f"{machine.root}/opt/jupyter-clouds/bin/kernel", prefix, "python"]
    assert len(calls(machine)) == 1


def test_an_environment_without_a_kernel_gets_one(machine: MachineRoot) -> None:
    machine.phase("conda")
    machine.tool("then", '[ "$CLOUDS_ROOT" ] && rm -r "$2/lib"')

    machine.phase("environment")

    assert "install" in calls(machine)[1]
    assert "ipykernel" in calls(machine)[1]


def test_a_changed_environment_file_does_not_replace_what_the_user_added(
    machine: MachineRoot,
) -> None:
    machine.phase("conda")
    machine.phase("environment")
    wait_for_stamp(machine, "environment")
    file = machine.root / "etc/jupyter-clouds/environment.yml"
    file.write_text("dependencies: [python, pandas]\n")

    assert machine.phase("environment").returncode == 0
    assert len(calls(machine)) == 1
