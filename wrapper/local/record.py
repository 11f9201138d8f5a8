"""What the daemon tells about itself, in a file that everybody can read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wrapper.errors import LocalError

from . import installation
from .host import RUN

FILE = RUN / "daemon.json"
PORT_VARIABLE = "JUPYTER_CLOUDS_LOCAL_PORT"


def port() -> int:
    """The API's port on 127.0.0.1. Raises LocalError when the variable holds none."""
    text = os.environ.get(PORT_VARIABLE, "5999")
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:  # noqa: PLR2004 - TCP's own
        raise LocalError(f"{PORT_VARIABLE}={text} is no port", hint=f"unset {PORT_VARIABLE}")
    return int(text)


@dataclass(frozen=True)
class Record:
    """What the daemon tells about itself, for those who are not root."""

    stage: str
    """What it is at; empty once it serves."""
    variables: dict[str, str] = field(default_factory=dict)
    error: str = ""
    hint: str | None = None
    pid: int = field(default_factory=os.getpid)
    port: int = field(default_factory=port)
    package: str = field(default_factory=installation.package)
    prefix: str = field(default_factory=installation.prefix)
    made: int = field(default_factory=installation.made)


def publish(record: Record) -> None:
    """The record is what others read."""
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(asdict(record)))
    new.chmod(0o644)
    new.replace(FILE)


def forget() -> None:
    """There is no daemon to read of."""
    FILE.unlink(missing_ok=True)


def read() -> Record | None:
    """What the daemon that runs told; None when none does."""
    try:
        told = {"package": "", "prefix": "", "made": 0} | json.loads(FILE.read_text())
        # Another version's may tell more.
        record = Record(**{key: told[key] for key in told if key in Record.__dataclass_fields__})
    except (OSError, ValueError, TypeError):
        return None
    return record if is_daemon(record.pid) else None


def is_daemon(pid: int) -> bool:
    """Numbers are used again: the process has to be a daemon of ours too."""
    try:
        return b"wrapper.local.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
