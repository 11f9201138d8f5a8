"""Room on this computer's disk, looked for before anything is made."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from wrapper.errors import DiskError

if TYPE_CHECKING:
    from wrapper.home import Home

_LEAST_FREE_MIB = 50
"""A state that cannot be written is a machine that nobody knows of."""


def need(home: Home) -> None:
    """There is enough for Terraform. DiskError."""
    free = shutil.disk_usage(home.path).free // 2**20
    if free < _LEAST_FREE_MIB:
        raise DiskError(
            f"{home.path} has {free} MiB free; {_LEAST_FREE_MIB} are needed for Terraform's "
            "state and logs.",
            hint=f"Make room: df -h {home.path}",
        )
