"""A deployment's journal: when its machines ran and what it held, as this computer saw it.

One JSON document a line, appended; it outlives `down`. A damaged line is left out, and counted.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wrapper.home import JOURNAL, SECRET_MODE, as_disk_error
from wrapper.spending import SAME, Keeping, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wrapper.home import Home

MACHINE = ("started", "stopped", "interrupted")


@dataclass(frozen=True)
class Machine:
    """What a machine was, and what it cost an hour when it was seen."""

    instance_type: str
    zone: str
    market: str
    hourly: str | None = None


@dataclass
class Journal:
    """What was written so far."""

    moments: list[Moment] = field(default_factory=list)
    machines: dict[str, list[tuple[datetime, Machine]]] = field(default_factory=dict)
    """By id, what it was from which moment on: a stopped one may change its type."""
    kept: dict[str, Keeping] = field(default_factory=dict)
    """By id; without an end where it is still there, as far as is known."""
    damaged: int = 0

    @property
    def began(self) -> datetime | None:
        """The first time of all."""
        times = [one.at for one in self.moments] + [one.began for one in self.kept.values()]
        return min(times, default=None)

    def machine(self, instance_id: str, at: datetime) -> Machine | None:
        """What it was then; None when it was never seen."""
        known = sorted(self.machines.get(instance_id, []), key=lambda pair: pair[0])
        before = [machine for since, machine in known if since <= at + SAME]
        return before[-1] if before else known[0][1] if known else None


def read(home: Home) -> Journal:
    """All of it; empty when nothing was written."""
    found = Journal()
    for line in _lines(home):
        try:
            _take(found, json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            found.damaged += 1
    return found


def _take(found: Journal, told: Mapping[str, Any]) -> None:
    at, one, what = datetime.fromisoformat(told["at"]).astimezone(UTC), told["id"], told["event"]
    if what in MACHINE:
        found.moments.append(Moment(at, what, one))
        if "machine" in told:
            found.machines.setdefault(one, []).append((at, Machine(**told["machine"])))
    elif what == "held":
        before = found.kept.get(one)
        began = before.began if before else at
        found.kept[one] = Keeping(told["kind"], one, told["gib"], began)
    elif what == "released" and one in found.kept:
        was = found.kept[one]
        found.kept[one] = Keeping(was.kind, one, was.gib, was.began, at)


def add_moment(home: Home, moment: Moment, machine: Machine) -> None:
    """It is written, unless it was already. DiskError."""
    known = read(home)
    same = [
        one
        for one in known.moments
        if (one.instance_id, one.what) == (moment.instance_id, moment.what)
        and abs(one.at - moment.at).total_seconds() < 1
    ]
    if same and known.machine(moment.instance_id, moment.at) == machine:
        return
    _append(
        home,
        {
            "at": moment.at.isoformat(),
            "event": moment.what,
            "id": moment.instance_id,
            "machine": asdict(machine),
        },
    )


def hold(home: Home, there: Iterable[Keeping], *, now: datetime) -> None:
    """The journal says of each that it is held, and of what was held before that it is not."""
    known = read(home).kept
    open_ones = {one.id: one for one in known.values() if one.ended is None}
    found = {one.id: one for one in there}
    for one in found.values():
        before = open_ones.get(one.id)
        if before is None or before.gib != one.gib:
            _append(
                home,
                {
                    "at": one.began.isoformat(),
                    "event": "held",
                    "id": one.id,
                    "kind": one.kind,
                    "gib": one.gib,
                },
            )
    for gone in sorted(open_ones.keys() - found.keys()):
        _append(home, {"at": now.isoformat(), "event": "released", "id": gone})


def _append(home: Home, told: Mapping[str, Any]) -> None:
    """The last line is that, and no line of another process is torn."""
    path = home.path / JOURNAL
    with as_disk_error(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, SECRET_MODE)
        try:
            os.write(descriptor, (json.dumps(dict(told)) + "\n").encode())
        finally:
            os.close(descriptor)


def _lines(home: Home) -> list[str]:
    """None before the first; one that was cut off counts all the same."""
    try:
        return (home.path / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
