"""What runs unattended on this machine: started here, and seen here. docs/adr/0013-runs.md."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import clouds

# Made by the notebook's server; it becomes the name of a unit.
NAME = re.compile(r"\d{8}-\d{6}-[a-z0-9][a-z0-9-]{0,40}", re.ASCII)
FOLDER = clouds.RUN / "runs"
UNIT = "jupyter-clouds-run@"
DROP_IN = clouds.ROOT / f"run/systemd/system/{UNIT}.service.d/sudo.conf"
# What keeps a service's processes from gaining rights keeps sudo from working.
UNCONFINED = "[Service]\nNoNewPrivileges=no\nRestrictSUIDSGID=no\nCapabilityBoundingSet=~\n"
PATIENCE = 20  # seconds


def going() -> list[str]:
    """The runs that go on: systemd keeps a folder for each, as long as its unit is active."""
    try:
        return sorted(name for name in os.listdir(FOLDER) if NAME.fullmatch(name))  # noqa: PTH208 - strings are all it needs
    except OSError:
        return []


def start(name: Any) -> None:
    """It runs, as the notebook's user and by no other words than its name. Raises ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"no name of a run: {name!r}")
    if clouds.settings().get("sudo") and not DROP_IN.exists():
        clouds.write(DROP_IN, UNCONFINED)
        subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=PATIENCE)
    command = ["systemctl", "start", f"{UNIT}{name}.service"]
    try:
        # Not longer than until its program is executed (Type=exec).
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{name} does not start: systemd does not answer") from error
    if done.returncode:
        raise ValueError(f"{name} does not start: {done.stderr.strip()[-300:]}")
