"""The files of a machine: its programs where they look for each other, and Jupyter's settings."""

from __future__ import annotations

import compileall
import json
import shutil
from functools import cache
from pathlib import Path

from wrapper.password import hash_password

TEMPLATES = Path(__file__).parent.parent / "templates"
OURS = "opt/jupyter-clouds"
CHANNELS = ("machine", "services")


@cache
def programs() -> Path:
    """The folder of both channels, where they are compiled as on a machine after its first boot.

    Hundreds of processes begin with them, and may not write there.
    """
    for channel in CHANNELS:
        compileall.compile_dir(TEMPLATES / channel / OURS, quiet=2)
    return TEMPLATES


def lay_out(root: Path) -> Path:
    """What user data and the bucket bring to a machine lies under the root; returns its folder."""
    for channel in CHANNELS:
        shutil.copytree(programs() / channel / OURS, root / OURS, dirs_exist_ok=True)
    return root / OURS


def tell_jupyter(folder: Path, port: int, password: str, *, work: Path, state: Path) -> Path:
    """The folder has the file that tells a machine's Jupyter what differs between machines."""
    settings = {
        "port": port,
        "password_hash": hash_password(password),
        "work": str(work),
        "state": str(state),
    }
    path = folder / "notebook.json"
    path.write_text(json.dumps(settings))
    return path
