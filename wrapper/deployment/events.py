"""What a story tells whoever watches it. Values only: printing is the command line's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Step:
    """A part of the story begins."""

    text: str


@dataclass(frozen=True)
class Progress:
    """So much of the expected is done, and what happens now."""

    done: int
    total: int
    text: str
    ended: bool = False
    """Whether that is the end of a step: enough to know where lines cannot move."""
    over: bool = False
    """Nothing more comes for now: no bar is to be seen."""


@dataclass(frozen=True)
class BootPhase:
    """A phase of the machine's boot has begun or ended."""

    name: str
    state: Literal["running", "done", "failed"]
    seconds: float | None


@dataclass(frozen=True)
class Note:
    """Something worth knowing."""

    text: str


@dataclass(frozen=True)
class News(Note):
    """Likewise, and at once: also to who looks elsewhere meanwhile."""


@dataclass(frozen=True)
class Warned:
    """Something that may not be as the user expects."""

    text: str


@dataclass(frozen=True)
class Checked:
    """One thing was verified, or could not be."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Printed:
    """A run printed that: its own words, in pieces of any size."""

    text: str


Event = Printed | Step | Progress | BootPhase | Note | Warned | Checked
