"""What Unison says while it works, as it says it to people: versions 2.52 and 2.53.

https://github.com/bcpierce00/unison/blob/v2.52.1/src/uitext.ml, src/transport.ml
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wrapper.errors import DiskError, FailedError, NoAnswerError
from wrapper.monitor.known import CHANGED, EARLY
from wrapper.unison.pair import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What a line begins with that does not go on with the name, or the reason, of the one before.
_BEGINNINGS = (
    *("[BGN] ", "[END] ", "[CONFLICT] ", "[ERROR] ", "Failed: ", "  skipped: ", "  failed: "),
    *("Unison ", "Saving ", "Synchronization ", "Propagating ", "Looking ", "Reconciling "),
    *("Fatal error", "Error", "Nothing to do", "No updates", "Sleeping ", "Warning"),
)
_VERB = r"(Copying properties for|Copying|Updating file|Deleting)"
_BEGUN = re.compile(rf"\[BGN\] (?P<verb>{_VERB}) (?P<what>.+)", re.DOTALL)
_ENDED = re.compile(rf"\[END\] {_VERB} (?P<name>.+)", re.DOTALL)
_SKIPPED = re.compile(r"  skipped: (?P<name>.*) \((?P<why>.+)\)", re.DOTALL)
_REFUSED = re.compile(r"\[ERROR\] Skipping (?P<name>.*)\n  (?P<why>.+)", re.DOTALL)
_PROBLEM = re.compile(r"\[root [12]\]: ")
_EARLY = re.compile(rf"{EARLY}(: (?P<name>\S+))?")
_FULL = "No space left on device"
_LAST = 8


@dataclass(frozen=True)
class Outcome:
    """What was not brought together."""

    conflicts: tuple[str, ...] = ()
    """Changed at both ends."""
    kept: tuple[str, ...] = ()
    """Deleted at one end only."""
    changed: tuple[str, ...] = ()
    """Brought to the other end, or deleted there."""


class LostMemoryError(Exception):
    """One end forgot what both had."""


class RulesError(Exception):
    """What is left out is to be asked for again."""

    def __init__(self, *, early: bool, name: str = "") -> None:
        """`early`: before all was looked at, for the sake of a file of that name."""
        super().__init__(name)
        self.early, self.name = early, name


@dataclass
class Heard:
    """What was said so far."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    changed: dict[str, None] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """By name, why: of the last round."""
    last: list[str] = field(default_factory=list)
    _begun: list[str] = field(default_factory=list)
    _reasons: list[str] = field(default_factory=list)
    _told: dict[str, str] = field(default_factory=dict)
    _refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name and reason, by the words of both at the end of a round."""

    def listen(self, lines: Iterable[str]) -> None:
        """All of it, told as it is said; what fails again and again is told once."""
        record = ""
        for raw in lines:
            line = raw.rstrip("\n")
            self.last = [*self.last[1 - _LAST :], line]
            if record and line and not line.startswith(_BEGINNINGS):
                record += f"\n{line}"  # names have any characters
            else:
                self._take(record)
                record = line
            if _SKIPPED.fullmatch(record):  # nothing may come after it for hours
                self._take(record)
                record = ""
        self._take(record)

    def _take(self, record: str) -> None:
        if found := _BEGUN.fullmatch(record):
            self._begun.append(found["what"])
            self.say(f"{found['verb'].lower()} {found['what']}")
        elif found := _ENDED.fullmatch(record):
            name = found["name"]
            self._begun = [one for one in self._begun if not one.startswith(f"{name} from ")]
            self.changed[name] = None
            self._told.pop(name, None)
        elif record.startswith("Failed: "):
            self._reasons.append(record.removeprefix("Failed: "))
        elif record.startswith("Unison ") and " finished propagating" in record:
            self._round_is_over()
        elif found := _REFUSED.fullmatch(record):
            self._refused["{} ({})".format(*found.groups())] = (found["name"], found["why"])
        elif found := _SKIPPED.fullmatch(record):
            if problem := self._refused.get(record.removeprefix("  skipped: ")):
                self._not_brought(*problem)
            elif _PROBLEM.match(found["why"]):
                self._not_brought(found["name"] or ".", _PROBLEM.sub("", found["why"]))
            else:
                self._skipped(found["name"] or ".", found["why"])
        elif record.startswith("  failed: "):
            self.failed.setdefault(record.removeprefix("  failed: "), "")

    def _round_is_over(self) -> None:
        """What was begun and has not ended failed; the reasons come in no certain order."""
        names = [one.rpartition(" from ")[0] for one in self._begun]
        why = "; ".join(dict.fromkeys(self._reasons))
        self.failed = dict.fromkeys(names, why)
        self._begun, self._reasons = [], []
        new = [name for name in names if self._told.get(name) != why]
        self._told.update(self.failed)
        if new:
            self.warn(f"not brought over: {', '.join(new)} ({why}). It is tried again")

    def _not_brought(self, name: str, why: str) -> None:
        self.failed[name] = why
        if self._told.get(name) != why:
            self._told[name] = why
            self.warn(f"not brought over: {name} ({why})")

    def _skipped(self, name: str, why: str) -> None:
        kind = self.kept if KEPT in why else self.conflicts
        if name not in kind:
            kind[name] = why
            gone = "deleted at one end, stays at the other"
            self.say(f"left as it is: {name} ({gone if kind is self.kept else why})")

    def judge(self, code: int) -> Outcome:
        """How it ended. LostMemoryError, RulesError, NoAnswerError, DiskError, FailedError."""
        words = "\n".join(line for line in self.last if line.strip())
        if "-ignorearchives" in words:
            raise LostMemoryError
        if found := _EARLY.search(words):
            raise RulesError(early=True, name=unquote(found["name"] or "", errors="replace"))
        if CHANGED in words:
            raise RulesError(early=False)
        if "Lost connection" in words:
            raise NoAnswerError(f"The connection ended: {words}", hint="python -m wrapper ssh")
        listed = "; ".join(f"{name}: {why}" if why else name for name, why in self.failed.items())
        if _FULL in listed or _FULL in words:
            raise DiskError(
                f"A disk is full: {listed or words}",
                hint="Here: df -h . There: python -m wrapper status",
            )
        if self.failed or code not in (0, 1):
            raise FailedError(
                f"Not everything was brought together: {listed or words}",
                hint="Again: it goes on.",
            )
        return Outcome(tuple(self.conflicts), tuple(self.kept), tuple(self.changed))
