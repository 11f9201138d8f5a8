"""What the notebook adapter takes and gives: frozen values, no library's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pin:
    """The one certificate that a connection trusts from now on."""

    pem: str
    certificate_sha256: str
    """SHA-256 of the DER, 64 hexadecimal digits."""
    key_sha256: str
    """SHA-256 of the SPKI DER, 64 hexadecimal digits; the same after a renewal."""


@dataclass(frozen=True)
class Status:
    """Jupyter's own /api/status."""

    started: str
    last_activity: str
    connections: int
    kernels: int


@dataclass(frozen=True)
class Phase:
    """One phase of the machine's boot."""

    state: str
    """running, done or failed."""
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class CloudsStatus:
    """What the machine says of itself, from our server extension."""

    phases: dict[str, Phase]
    versions: dict[str, str] = field(default_factory=dict)
    """Of what runs there, such as jupyter_server."""
    disk_free: int | None = None
    """Bytes on the disk of the work folder; None from machines that do not tell it."""
    disk_total: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    """The whole document, for --json."""
