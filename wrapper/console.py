"""A machine's console, read: which phases it is through, its fingerprint, what failed. Pure.

Only exact whole lines count. What a machine quotes from a log is a JSON string inside a line of
its own kind, so it can start no line (docs/adr/0004-console-as-root-of-trust.md).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Literal

from wrapper.errors import FingerprintError

State = Literal["running", "done", "failed"]

_PHASE = re.compile(
    r"jupyter-clouds: phase=(?P<phase>[a-z][a-z0-9-]{0,31}) "
    r"(?:state=started"
    r"|seconds=(?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,6})?)"
    r"|state=failed seconds=(?P<lasted>[0-9]{1,9}(?:\.[0-9]{1,6})?) exit=(?P<exit>[0-9]{1,3}))"
)
_LOG = re.compile(
    r'jupyter-clouds: log phase=(?P<phase>[a-z][a-z0-9-]{0,31}) text=(?P<text>"[\x20-\x7e]*")'
)
_FINGERPRINT = re.compile(
    r"jupyter-clouds: fingerprint certificate_sha256=(?P<certificate>[0-9a-f]{64}) "
    r"key_sha256=(?P<key>[0-9a-f]{64})"
)
_CUT = 60_000
"""Characters from which on a console may have lost its beginning: EC2 keeps 64 KB."""
_NOTICE = re.compile(
    r"jupyter-clouds: notice kind=(?P<kind>[a-z]{1,16})(?: (?P<more>[\x21-\x7e ]{1,200}))?"
)
_STEP = re.compile(
    r"jupyter-clouds: rescue step=(?P<step>[a-z]{1,16}) seconds=(?P<seconds>[0-9.]{1,12}) "
    r"ok=(?P<ok>[0-9]{1,6})(?: failed=(?P<failed>[0-9]{1,6}))?"
)
_RESCUED = re.compile(r"jupyter-clouds: rescue done seconds=(?P<seconds>[0-9.]{1,12})")
_HOST_KEY = re.compile(r"jupyter-clouds: ssh host_key=(?P<key>ssh-ed25519 [A-Za-z0-9+/]{68})")
_READY = re.compile(r"jupyter-clouds: ready port=(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Phase:
    """One phase of the boot, as last reported."""

    name: str
    state: State
    seconds: float | None = None
    """How long it took; None while it runs."""
    exit: int | None = None
    """Exit code of a failed one."""
    log: tuple[str, ...] = ()
    """Last lines of its newest quoted log, control characters made visible; kept while it is tried
    again, empty once it is done."""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the certificate's DER and of its key's SPKI, 64 hexadecimal digits each."""

    certificate_sha256: str
    key_sha256: str


@dataclass(frozen=True)
class Noticed:
    """The machine was told of an interruption, or that one is likely."""

    kind: str
    told: str
    """As in "action=stop time=2026-11-23T10:11:12Z"."""


@dataclass(frozen=True)
class Rescued:
    """A step of the rescue has ended; the whole of it where `step` is empty."""

    step: str
    seconds: float
    ok: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Boot:
    """What the console says of the newest boot, phases in the order of their first report."""

    phases: tuple[Phase, ...]
    fingerprint: Fingerprint | None
    """The newest; None before the machine has a certificate."""
    ready_port: int | None
    """The port on which the notebook said it answers; None before it did."""

    @property
    def ready(self) -> bool:
        """The machine has said that its notebook answers."""
        return self.ready_port is not None

    @property
    def failures(self) -> tuple[Phase, ...]:
        """Phases whose last report is a failure."""
        return tuple(phase for phase in self.phases if phase.state == "failed")


def parse(text: str) -> Boot:
    """What a console says. FingerprintError when it shows more than one key.

    The same key with another certificate is a renewal; the newest certificate counts. A phase
    that starts a second time is a reboot: what was ready before is not ready any more.
    """
    phases: dict[str, Phase] = {}
    fingerprint: Fingerprint | None = None
    ready: int | None = None
    for line in _lines(text):
        if found := _PHASE.fullmatch(line):
            phase = _phase(found)
            before = phases.get(phase.name)
            if phase.state == "running" and before:
                ready = None
            phases[phase.name] = _with_log_of(before, phase)
        elif found := _LOG.fullmatch(line):
            _add_log(phases, found["phase"], found["text"])
        elif found := _FINGERPRINT.fullmatch(line):
            newest = Fingerprint(found["certificate"], found["key"])
            _refuse_another_key(fingerprint, newest)
            fingerprint = newest
        elif found := _READY.fullmatch(line):
            ready = int(found["port"])
    return Boot(phases=tuple(phases.values()), fingerprint=fingerprint, ready_port=ready)


def ssh_host_key(text: str) -> str | None:
    """SSH's host key as known_hosts takes it; None before it is shown.

    FingerprintError when the console shows more than one.
    """
    shown = {found["key"] for line in _lines(text) if (found := _HOST_KEY.fullmatch(line))}
    if len(shown) > 1:
        raise FingerprintError(
            f"The machine's console shows {len(shown)} different SSH host keys: "
            f"{', '.join(sorted(shown))}. None is trusted.",
            hint="Somebody may have forged a line. Replace the machine: "
            "python -m wrapper down, then up.",
        )
    return shown.pop() if shown else None


def rescues(text: str) -> tuple[Noticed | Rescued, ...]:
    """What a console says of notices and of what was saved at them, in its order."""
    found: list[Noticed | Rescued] = []
    for line in _lines(text):
        if said := _NOTICE.fullmatch(line):
            found.append(Noticed(said["kind"], said["more"] or ""))
        elif said := _STEP.fullmatch(line):
            counts = int(said["ok"]), int(said["failed"] or 0)
            found.append(Rescued(said["step"], _number(said["seconds"]), *counts))
        elif said := _RESCUED.fullmatch(line):
            found.append(Rescued("", _number(said["seconds"])))
    return tuple(found)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # such as 1.2.3
        return 0.0


def _lines(text: str) -> list[str]:
    """Whole lines that may be ours: not the last one while it is being written, nor a first one
    that the console's limit has cut the beginning off."""
    # Not splitlines(): it also splits at form feeds and other characters that a log may hold.
    whole = text.split("\n")[1 if len(text) >= _CUT else 0 : -1]
    return [line.strip("\r") for line in whole if "jupyter-clouds: " in line]


def _phase(found: re.Match[str]) -> Phase:
    if found["seconds"] is not None:
        return Phase(found["phase"], "done", float(found["seconds"]))
    if found["exit"] is not None:
        return Phase(found["phase"], "failed", float(found["lasted"]), int(found["exit"]))
    return Phase(found["phase"], "running")


def _with_log_of(before: Phase | None, phase: Phase) -> Phase:
    """A phase that fails again the same way does not quote its log again (phase.py): what the
    first failure said still holds."""
    if before is None or phase.state == "done":
        return phase
    return replace(phase, log=before.log)


def _add_log(phases: dict[str, Phase], name: str, quoted: str) -> None:
    """The log is its phase's; one quoted of no known phase is nothing to rely on."""
    phase = phases.get(name)
    try:
        text = json.loads(quoted)
    except ValueError:
        return
    if phase is None or not isinstance(text, str):
        return
    # A terminal would obey escape sequences out of a package's log.
    lines = tuple(_visible(line) for line in text.split("\n"))
    # A failure has one log line: what was kept of an earlier failure was another reason.
    phases[name] = replace(phase, log=lines)


def _visible(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text.replace("\t", "  ")
    )


def _refuse_another_key(before: Fingerprint | None, now: Fingerprint) -> None:
    if before is not None and before.key_sha256 != now.key_sha256:
        raise FingerprintError(
            "The machine's console shows the fingerprints of two different keys: "
            f"{before.key_sha256} and {now.key_sha256}. Neither is trusted.",
            hint="Somebody may have forged a line. Replace the machine: "
            "python -m wrapper down, then up.",
        )


_OF = {
    "boot": r"(log )?phase=|fingerprint |ssh host_key=|ready ",
    "idle": r"autostop ",
    "spot": r"notice |rescue ",
}
"""How our lines begin, by what they tell of."""


def of_phase(text: str, phase: str | None) -> str:
    """The lines that tell of it; the whole console when no phase is asked for."""
    whole = text.replace("\r", "")
    if phase is None:
        return whole
    if phase not in _OF:
        return ""
    ours = re.compile(rf"jupyter-clouds: (?:{_OF[phase]})")
    return "".join(line for line in whole.splitlines(keepends=True) if ours.match(line))
