"""A copy of a machine: what is personal goes before anything runs, what was installed stays."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.unit.machine_root import BIN, MachineRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "personal-3f9c"
FIRST, COPY = "i-0123456789abcdef0", "i-0fedcba9876543210"
PERSONAL = (
    "etc/jupyter-clouds/machine.json",
    "etc/jupyter-clouds/notebook.json",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "etc/sudoers.d/jupyter-clouds",
    "home/notebook/.aws/credentials",
    "home/notebook/.bash_history",
    "home/notebook/.bashrc",
    "home/notebook/.git-credentials",
    "home/notebook/.local/share/jupyter/runtime/kernel.json",
    "home/notebook/work/thesis.ipynb",
    "home/ubuntu/.ssh/authorized_keys",
    "root/.ssh/authorized_keys",
    "swap-hibinit",
    "var/crash/_opt_conda_bin_python.1000.crash",
    "var/lib/cloud/instances/i-0123456789abcdef0/user-data.txt",
    "var/lib/dbus/machine-id",
    "var/lib/jupyter-clouds/autostop.json",
    "var/lib/jupyter-clouds/notebook/cookie_secret",
    "var/lib/jupyter-clouds/notebook/password_hash",
    "var/lib/jupyter-clouds/notebook/tls/key.pem",
    "var/lib/jupyter-clouds/volume",
    "var/lib/systemd/coredump/core.python.1000",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
    "var/log/auth.log",
    "var/log/journal/0123456789abcdef0123456789abcdef/user-1000.journal",
    "var/log/jupyter-clouds/settings.log",
    "var/mail/notebook",
    "var/spool/cron/atjobs/a0001",
    "var/spool/cron/crontabs/notebook",
    "var/tmp/upload",
)
INSTALLED = (
    "opt/conda/envs/notebook/bin/python",
    "opt/conda/envs/server/bin/jupyter-lab",
    "opt/jupyter-clouds/bin/phase.py",
    "usr/local/bin/conda",
    "var/lib/jupyter-clouds/conda.stamp",
    "var/lib/jupyter-clouds/server.stamp",
    "var/lib/jupyter-clouds/services.stamp",
)


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    """The disk of a machine that somebody has used, begun by another one."""
    machine = MachineRoot(tmp_path)
    for name in (*PERSONAL, *INSTALLED, "etc/skel/.bashrc", "etc/machine-id"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET if name in PERSONAL else "as it was")
    write(machine, "etc/jupyter-clouds/environment.yml", "dependencies: [python]\n")
    write(machine, "var/lib/jupyter-clouds/environment.stamp", "")
    write(machine, "var/lib/jupyter-clouds/instance", FIRST)
    (tmp_path / "var/lib/cloud/instances" / COPY).mkdir()
    machine.instance(COPY)
    machine.tool("journalctl", "exit 0")
    machine.tool("swapoff", "exit 0")
    return machine


def write(machine: MachineRoot, name: str, text: str) -> None:
    path = machine.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def renew(machine: MachineRoot, instance: str = COPY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", BIN / "renew.py", instance],
        env=machine.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def personal(machine: MachineRoot) -> Iterator[str]:
    for path in machine.root.rglob("*"):
        if path.is_file() and SECRET in path.read_text(errors="replace"):
            yield str(path.relative_to(machine.root))


def test_nothing_personal_is_left_and_what_is_installed_stays(machine: MachineRoot) -> None:
    assert set(personal(machine)) == set(PERSONAL)
    done = renew(machine)
    assert done.returncode == 0, done.stderr
    assert list(personal(machine)) == []
    for name in INSTALLED:
        assert (machine.root / name).read_text() == "as it was", name
    assert (machine.root / "home/notebook/.bashrc").read_text() == "as it was"
    assert (machine.root / "var/lib/cloud/instances" / COPY).is_dir()
    assert re.fullmatch("[0-9a-f]{32}\n", (machine.root / "etc/machine-id").read_text())


def test_cut_short_anywhere_it_is_done_again(machine: MachineRoot) -> None:
    machine.tool("journalctl", "kill -9 $PPID")
    assert renew(machine).returncode != 0
    assert (machine.root / "var/lib/jupyter-clouds/instance").read_text() == FIRST
    write(machine, "home/notebook/.bash_history", SECRET)
    machine.tool("journalctl", "exit 0")
    assert renew(machine).returncode == 0
    assert list(personal(machine)) == []
    assert (machine.root / "var/lib/jupyter-clouds/instance").read_text() == COPY
    assert (machine.root / "var/lib/jupyter-clouds/environment.copied").exists()


def test_a_copy_that_was_not_renewed_runs_no_phase(machine: MachineRoot) -> None:
    machine.settings()
    assert machine.phase("settings").returncode == 1
    assert f"a copy of {FIRST}" in machine.status()["settings"]["error"]
    assert renew(machine).returncode == 0
    machine.settings()
    assert machine.phase("settings").returncode == 0


def test_a_machine_of_its_own_is_known_as_such_ever_after(machine: MachineRoot) -> None:
    (machine.root / "var/lib/jupyter-clouds/instance").unlink()
    machine.settings()
    assert machine.phase("settings").returncode == 0
    machine.instance(FIRST)
    assert machine.phase("settings").returncode == 1


@pytest.mark.parametrize(
    ("asked", "installed"),
    [
        pytest.param("dependencies: [python]\n", False, id="as-in-the-image"),
        pytest.param("dependencies: [python, rust]\n", True, id="another"),
    ],
)
def test_the_environment_is_installed_only_where_another_is_asked_for(
    machine: MachineRoot, asked: str, *, installed: bool
) -> None:
    renew(machine)
    machine.settings()
    write(machine, "etc/jupyter-clouds/environment.yml", asked)
    prefix = machine.root / "opt/conda/envs/notebook"
    script = (
        f'echo "$@" >> {machine.root}/asked; mkdir -p {prefix}/lib/python3/site-packages/ipykernel'
    )
    write(machine, "opt/conda/bin/mamba", f"#!/bin/bash\n{script}\n")
    (machine.root / "opt/conda/bin/mamba").chmod(0o755)
    done = machine.phase("environment")
    assert done.returncode == 0, done.stdout
    assert (machine.root / "asked").exists() == installed
    assert (prefix / "bin/python").exists() != installed


def test_an_image_renews_itself_whoever_launches_it() -> None:
    templates = Path(__file__).parents[2] / "templates"
    own = yaml.safe_load(
        (templates / "machine/etc/cloud/cloud.cfg.d/99-jupyter-clouds.cfg").read_text()
    )
    (line,) = [one[-1] for one in own["bootcmd"]]
    sent = (templates / "cloud-init.yaml").read_text().partition("bootcmd:\n")[2].splitlines()[0]
    assert yaml.safe_load(sent) == [["sh", "-c", line]]
