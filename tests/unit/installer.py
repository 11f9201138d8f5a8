"""A machine in a folder, and the installer of conda that it fetches: a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MachineRoot

if TYPE_CHECKING:
    from pathlib import Path

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
