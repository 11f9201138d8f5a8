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
    name: str | None = None
    """What it names in place of the host that is connected to, and is verified for."""


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
class Autostop:
    """When the machine stops by itself; its field names are a contract (`status --json`).

    Moments are ISO 8601, in UTC.
    """

    busy: tuple[str, ...]
    """What goes on there, in words."""
    idle_minutes: float
    """0 is never."""
    max_hours: float
    """Likewise."""
    began: str
    ends_at: str | None
    idle_since: str | None
    """None while something goes on."""
    idle_stops_at: str | None
    stopping: str | None = None
    """idle or lifetime, while all is being saved."""
    last_ended: str | None = None
    """When the machine went down before this boot; an older one does not tell."""


@dataclass(frozen=True)
class Logs:
    """A piece of the machine's journal."""

    text: str
    cursor: str | None
    """Where the next piece begins; None while there is none."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What runs, or ran, unattended; its field names are a contract (`run --json`)."""

    name: str
    folder: str
    """Below the work folder."""
    kind: str
    """notebook, script or command."""
    state: str
    """prepared, running, done, failed, cancelled or interrupted."""
    exit_code: int | None = None
    error: str | None = None
    began: str | None = None
    ended: str | None = None
    after: str | None = None
    """stop or down, when the machine is to rest or to go afterwards."""
    executed: str = ""
    """The executed notebook, in its folder."""
    cells_done: int = 0
    cells: int = 0
    """Code cells of a notebook."""
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The files that there are of each output that was named."""

    @property
    def going(self) -> bool:
        """It has begun, and not ended."""
        return self.state == "running"

    @property
    def missing(self) -> list[str]:
        """Outputs that were named, and not made."""
        return [name for name, files in self.outputs.items() if not files]


@dataclass(frozen=True)
class News:
    """What a run printed since, and how far it is."""

    run: Run
    text: str
    next: int
    """The byte to ask from next."""
    seen: str
    """Tells the server what is known here."""


@dataclass(frozen=True)
class CloudsStatus:
    """What the machine says of itself, from our server extension."""

    phases: dict[str, Phase]
    versions: dict[str, str] = field(default_factory=dict)
    """Of what runs there, such as jupyter_server."""
    disk_free: int | None = None
    """Bytes on the disk of the work folder; None from machines that do not tell it."""
    disk_total: int | None = None
    autostop: Autostop | None = None
    """None where it was not asked, or the machine knows nothing of it."""
    runs: tuple[Run, ...] = ()
    """What goes on unattended; likewise."""
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    """The whole document, for --json."""
