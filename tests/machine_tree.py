"""The programs of a machine where they look for each other: both channels' in one folder."""

from __future__ import annotations

import shutil
from pathlib import Path

TEMPLATES = Path(__file__).parent.parent / "templates"
OURS = "opt/jupyter-clouds"


def lay_out(root: Path) -> Path:
    """What user data and the bucket bring to a machine lies under the root; returns its folder."""
    for channel in ("machine", "services"):
        shutil.copytree(
            TEMPLATES / channel / OURS,
            root / OURS,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    return root / OURS
