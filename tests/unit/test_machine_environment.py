"""The phases that make the server's environment and the kernel's, with a stand-in for conda."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.installer import calls, machine, stamped

if TYPE_CHECKING:
    from tests.unit.machine_root import MachineRoot

__all__ = ["machine"]  # a fixture, for pytest to find here


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


def test_what_may_be_damaged_in_the_package_cache_fails_once(machine: MachineRoot) -> None:
    machine.phase("conda")
    damaged = machine.root / "opt/conda/pkgs/damaged"
    damaged.mkdir(parents=True)
    machine.settings(pauses="0.01 0.01")
    machine.tool("then", f"[ ! -e {damaged} ] || {{ echo 'The wheel is invalid'; exit 1; }}")

    assert machine.phase("server").returncode == 0
    assert len(calls(machine)) == 2
    assert not damaged.exists()


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
