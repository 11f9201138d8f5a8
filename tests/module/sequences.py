"""Random lives of one deployment: what happens to it, step by step, drawn from a seed. Pure.

What is foreseen of each step keeps most of them sensible; some are not, and some commands are cut
short in the middle. Whether it came so, tests/module/life.py sees.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal[
    "capacity back",  # EC2 has machines again
    "capacity gone",  # of the spot market: in the machine's zone, or anywhere
    "down",
    "edit",  # a file is saved and synced, or not synced yet
    "keep down",  # `stop --keep-down`
    "lost",  # somebody ends the machine, outside of everything
    "move",  # `up --watch --fallback zone,on-demand`; also the first `up` after a `down`
    "notice",  # EC2 takes the machine back two minutes later
    "one-time",  # the user says in the tfvars that an interruption is to end the machine
    "pull",  # EC2 takes the machine back without a word
    "rehearse",  # `interrupt`
    "replace",  # `up --replace`
    "resize",  # `up --instance-type`
    "snapshot",
    "start",
    "stop",
    "subnet",  # `up --subnet-id`, of another zone; likewise
    "switch",  # `up` with the other market
    "two minutes",  # they pass
    "up",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
COMMANDS: frozenset[Kind] = frozenset({
    "down", "keep down", "move", "rehearse", "replace", "resize", "snapshot", "start", "stop",
    "subnet", "switch", "up",
})  # fmt: skip
TYPES = ("t3.large", "t3.xlarge")
GONE = ("zone", "anywhere")
"""Where EC2 has no spot machines left; some interruptions come with it."""
LENGTH = 8
"""Steps of a sequence; edits come on top, and a last `down`, with capacity back."""
DEFAULT_SEEDS = (8049, 14512, 15812)
SEEDS, COUNT = "JUPYTER_CLOUDS_SEED", "JUPYTER_CLOUDS_SEQUENCES"
"""Environment variables: where to begin (a seed repeats one sequence), and how many."""
_Machine = Literal["none", "running", "noticed", "stopped", "taken"]
_MACHINES: tuple[_Machine, ...] = get_args(_Machine)
_NONSENSE = 0.1
_PERIL = 0.4
_PLACES = {"killed": 14, "ctrl-c": 24}
"""Few of them are in one command: what Terraform does counts for Ctrl-C alone."""
_EDITED = 0.7
_TOLD_AGAIN = 0.5


@dataclass(frozen=True)
class Peril:
    """A command is cut short: at its so-manieth change of anything outside, or at one by name."""

    how: Literal["killed", "ctrl-c"]
    at: int | str

    def __str__(self) -> str:
        return f"{self.how} at {self.at}"


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    kind: Kind
    said: str = ""
    """What becomes of the data, which market, where: by kind."""
    peril: Peril | None = None

    def __str__(self) -> str:
        said = f" {self.said}" if self.said else ""
        return f"{self.kind}{said}{f' [{self.peril}]' if self.peril else ''}"


@dataclass(frozen=True)
class _Foreseen:
    """How the deployment stands, if all went as it should."""

    alive: bool = False
    lived: bool = False
    """It was alive at some time."""
    spot: bool = False
    type: str = TYPES[0]
    machine: _Machine = "none"
    kept: bool = False
    """Its volume is, and it is down."""
    withheld: bool = False
    cut_short: Step | None = None
    """The command before was."""


DIRECTED: dict[str, tuple[Step, ...]] = {
    "a move that was cut short, and another one": (
        Step("up", "spot"),
        Step("edit", "synced"),
        Step("notice", "zone"),
        Step("two minutes"),
        Step("move", peril=Peril("killed", "after terraform apply")),
        Step("edit", "synced"),
        Step("notice", "zone"),
        Step("two minutes"),
        Step("move"),
        Step("edit", "synced"),
        Step("down", "snapshot"),
    ),
}
"""Sequences that chance draws too seldom."""


def seeds(environment: Mapping[str, str] = os.environ) -> Sequence[int | str]:
    """Of the sequences to run: the directed and the default ones, unless the environment says
    otherwise."""
    first, count = environment.get(SEEDS), environment.get(COUNT)
    if first is None and count is None:
        return (*DIRECTED, *DEFAULT_SEEDS)
    if first in DIRECTED:
        return [first]
    start = int(first or 1)
    return range(start, start + int(count or 1))


def draw(seed: int | str, length: int = LENGTH) -> Sequence[Step]:
    """A directed one, or one by chance: the same seed gives the same sequence."""
    if isinstance(seed, str):
        return DIRECTED[seed]
    chance, now, steps = Random(seed), _Foreseen(), list[Step]()  # noqa: S311 (no secret)
    for _ in range(length):
        step = _next(chance, now, Counter(one.kind for one in steps))
        steps.append(step)
        now = _after(now, step)
        if now.machine in ("running", "noticed") and chance.random() < _EDITED:
            steps.append(Step("edit", chance.choice(("synced", "synced", "not synced yet"))))
    if now.withheld:
        steps.append(Step("capacity back"))
    if now.alive or now.cut_short:
        steps.append(Step("down", chance.choice(("snapshot", "keep"))))
    return steps


def with_a_kept_volume(steps: Sequence[Step]) -> Iterator[Step]:
    """Of these the ones that are to take a volume that `down` has kept to another zone, with work
    on it."""
    kept, worked = False, False
    for step in steps:
        worked |= step.kind == "edit"
        if kept and worked and step.kind in ("move", "subnet"):
            yield step
        if step.kind in COMMANDS - {"snapshot"}:
            kept = not step.peril and (step.kind, step.said) == ("down", "keep")


def _next(chance: Random, now: _Foreseen, seen: Counter[Kind]) -> Step:
    """What was not done yet comes first; a command that was cut short is mostly told again."""
    if now.cut_short and chance.random() < _TOLD_AGAIN:
        return replace(now.cut_short, peril=None)
    if chance.random() < _NONSENSE and now.alive and not now.cut_short:
        kind = chance.choice(sorted(COMMANDS))
    else:
        weights = _sensible(now)
        rarer = [weight / 4 ** seen[kind] for kind, weight in weights.items()]
        (kind,) = chance.choices([*weights], rarer)
    peril = None
    if kind in COMMANDS and not now.cut_short and chance.random() < _PERIL:
        how: Literal["killed", "ctrl-c"] = chance.choice(("killed", "ctrl-c"))
        peril = Peril(how, min(chance.randint(1, _PLACES[how]) for _ in range(2)))
    return Step(kind, _said(chance, kind, now), peril)


def _said(chance: Random, kind: Kind, now: _Foreseen) -> str:
    words: dict[Kind, Sequence[str]] = {
        "capacity gone": ("zone",) if now.kept else GONE,
        "down": ("snapshot", "snapshot", "keep", "keep", "delete"),
        "notice": ("",) if now.withheld else (*GONE, ""),
        "pull": ("",) if now.withheld else (*GONE, ""),
        "resize": [one for one in TYPES if one != now.type],
        "switch": ("on-demand" if now.spot else "spot",),
        "up": ("",) if now.alive else ("spot", "on-demand"),
    }
    return chance.choice(words.get(kind, ("",)))


def _sensible(now: _Foreseen) -> dict[Kind, int]:
    """What may happen next, and how often."""
    if now.cut_short:
        return {"up": 1, "down": 1}
    if not now.alive:
        again: dict[Kind, int] = {"up": 8, "down": 1, "snapshot": 1} if now.lived else {"up": 1}
        return again | (_of_kept(now) if now.kept else {})
    market: dict[Kind, int] = (
        {"capacity back": 3} if now.withheld else {"capacity gone": 2 if now.spot else 0}
    )
    return {**market, **_OF_MACHINE[now.machine], **(_OF_SPOT[now.machine] if now.spot else {})}


def _of_kept(now: _Foreseen) -> dict[Kind, int]:
    """A volume that waits for the next `up` may have to go along to another zone."""
    gone: dict[Kind, int] = {"move": 8} if now.withheld else {"capacity gone": 4 * now.spot}
    return {"up": 4, "subnet": 4, **gone}


_OF_MACHINE: dict[str, dict[Kind, int]] = {
    "none": {"up": 6, "down": 2},
    "running": {
        "down": 3, "lost": 1, "replace": 1, "resize": 1, "snapshot": 1, "stop": 2,
        "subnet": 2, "switch": 3, "up": 1, "one-time": 1,
    },
    "noticed": {"two minutes": 4, "down": 1, "stop": 1, "up": 1, "switch": 1},
    "stopped": {
        "start": 4, "up": 2, "down": 1, "switch": 2, "snapshot": 1, "resize": 1, "subnet": 1,
    },
    "taken": {"up": 2, "move": 4, "keep down": 2, "down": 1, "switch": 1, "subnet": 1},
}  # fmt: skip
_OF_SPOT: dict[str, dict[Kind, int]] = {
    "none": {},
    "running": {"notice": 4, "pull": 4, "rehearse": 2},
    "noticed": {},
    "stopped": {},
    "taken": {},
}


_COMES: dict[Kind, dict[str, Any]] = {
    "capacity back": {"withheld": False},
    "capacity gone": {"withheld": True},
    "down": {"alive": False, "machine": "none"},
    "keep down": {"machine": "none"},
    "lost": {"machine": "none"},
    "move": {"alive": True, "lived": True, "machine": "running"},
    "notice": {"machine": "noticed"},
    "pull": {"machine": "taken"},
    "rehearse": {"machine": "running"},
    "replace": {"machine": "running"},
    "resize": {"machine": "running"},
    "start": {"machine": "running"},
    "stop": {"machine": "stopped"},
    "subnet": {"alive": True, "lived": True, "machine": "running"},
    "switch": {"machine": "running"},
    "two minutes": {"machine": "taken"},
    "up": {"alive": True, "lived": True, "machine": "running"},
}
_NEEDS: dict[Kind, tuple[str, ...]] = {
    "keep down": ("taken",),
    "rehearse": ("running",),
    "start": ("running", "stopped"),
    "stop": ("running", "noticed"),
}
"""Machines that a command is for; another one stays as it is."""


def _after(now: _Foreseen, step: Step) -> _Foreseen:
    wish = replace(
        now,
        spot=step.said == "spot" if step.said in ("spot", "on-demand") else now.spot,
        type=step.said if step.kind == "resize" else now.type,
        withheld=now.withheld or step.said in GONE,
    )
    if step.peril:
        return replace(wish, cut_short=step)
    if step.kind in COMMANDS and step.kind != "snapshot":
        wish = replace(wish, kept=step.kind == "down" and step.said == "keep")
    for_it = now.machine in _NEEDS.get(step.kind, _MACHINES)
    then = replace(wish, cut_short=None, **(_COMES.get(step.kind, {}) if for_it else {}))
    if then.machine == "taken" and not then.withheld:
        return replace(then, machine="running")  # EC2 starts it again
    return then
