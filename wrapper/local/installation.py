"""Which installation the daemon runs from: there is one daemon, and may be several of them."""

from __future__ import annotations

import sys
from pathlib import Path

from wrapper.errors import LocalError

_AGAIN = "jupyter-clouds local stop (its machines end), then again"


def package() -> str:
    """The folder of this installation's code."""
    return str(Path(__file__).resolve().parents[1])


def made() -> int:
    """When this Python's environment was made, in nanoseconds; 0 outside of one."""
    try:
        return (Path(sys.prefix) / "pyvenv.cfg").stat().st_mtime_ns
    except OSError:
        return 0


def prefix() -> str:
    """This Python's environment."""
    return sys.prefix


def remark(*, package_of: str, prefix_of: str, made_of: int) -> str | None:
    """What to know of a daemon that runs from there; LocalError when nothing is there any more.

    It loads modules, and hands its uv to machines, long after it has started.
    """
    if not package_of:  # one that does not tell yet
        return None
    for folder in (package_of, prefix_of):
        if not Path(folder).is_dir():
            raise LocalError(
                f"the embedded EC2 that runs was started from {folder}, which is gone", hint=_AGAIN
            )
    try:
        now = (Path(prefix_of) / "pyvenv.cfg").stat().st_mtime_ns
    except OSError:
        now = 0
    if now != made_of:
        return (
            f"the embedded EC2 that runs is older than {prefix_of}, from which it was started; "
            f"if it behaves oddly: {_AGAIN}"
        )
    if package_of != package():
        return (
            f"the embedded EC2 that runs was started from {package_of}, and is used; "
            f"for this installation's: {_AGAIN}"
        )
    return None
