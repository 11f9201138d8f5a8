"""A message on this computer's desktop, by the program that it has for that."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TITLE = "Jupyter in the Clouds"
_WITHIN = 3.0
"""Seconds: nobody waits for a desktop that hangs."""
# As arguments, and never as a part of the script.
_SCRIPT = ("on run argv", "display notification (item 1 of argv) with title (item 2 of argv)")


def tell(text: str, environment: Mapping[str, str]) -> bool:
    """Somebody sees it, if the desktop took it; whether there is a program for it that did."""
    command = _command(text, environment.get("PATH"))
    if command is None:
        return False
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_WITHIN,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _command(text: str, path: str | None) -> list[str] | None:
    # https://specifications.freedesktop.org/notification-spec/latest/
    if found := shutil.which("notify-send", path=path):
        return [found, "--app-name", _TITLE, "--", _TITLE, text]
    if found := shutil.which("osascript", path=path):
        lines = [word for line in (*_SCRIPT, "end run") for word in ("-e", line)]
        return [found, *lines, text, _TITLE]
    return None
