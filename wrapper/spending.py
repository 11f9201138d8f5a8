"""What running and keeping has cost: reckoned from times, sizes and prices. Pure.

Linux machines are billed by the second, a minute at the least (https://aws.amazon.com/ec2/pricing/).
A spot machine pays, in each hour of its run, the price that holds when the hour begins
(https://aws.amazon.com/about-aws/whats-new/2017/11/amazon-ec2-spot-introduces-new-pricing-model-and-the-ability-to-launch-new-spot-instances-via-runinstances-api/),
and nothing when EC2 interrupts it within its first hour
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-for-interrupted-spot-instances.html).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOUR = timedelta(hours=1)
LEAST = timedelta(minutes=1)
SAME = timedelta(minutes=3)
"""Two sources that tell of one start differ by less."""


@dataclass(frozen=True)
class Moment:
    """A machine began to run, or ceased to."""

    at: datetime
    what: Literal["started", "stopped", "interrupted"]
    instance_id: str


@dataclass(frozen=True)
class Run:
    """A time that a machine ran."""

    instance_id: str
    began: datetime
    ended: datetime | None = None
    """None: it runs."""
    interrupted: bool = False
    unsure: bool = False
    """Its end was never seen: the next start is taken for it."""


@dataclass(frozen=True)
class Change:
    """A price from one moment on, in US dollars an hour."""

    since: datetime
    dollars: Decimal


def runs(moments: Iterable[Moment]) -> list[Run]:
    """The times that each machine ran, whoever told of their ends; oldest first."""
    found: list[Run] = []
    by_machine: dict[str, list[Moment]] = {}
    for one in sorted(moments, key=lambda one: (one.at, one.what == "started")):
        by_machine.setdefault(one.instance_id, []).append(one)
    for machine, told in by_machine.items():
        found += _of_one(machine, told)
    return sorted(found, key=lambda one: one.began)


def _of_one(machine: str, told: Sequence[Moment]) -> list[Run]:
    found: list[Run] = []
    for one in told:
        last = found[-1] if found else None
        running = last is not None and last.ended is None
        if one.what == "started":
            if last and running:
                if one.at - last.began <= SAME:
                    continue
                found[-1] = replace(last, ended=one.at, unsure=True)
            found.append(Run(machine, one.at))
        elif last and running:
            found[-1] = replace(last, ended=one.at, interrupted=one.what == "interrupted")
        elif last and last.ended and one.what == "interrupted" and one.at - last.ended <= SAME:
            found[-1] = replace(last, interrupted=True)
    return found


def seconds(run: Run, since: datetime, until: datetime) -> float:
    """Of the run, within those bounds."""
    began, ended = max(run.began, since), min(run.ended or until, until)
    return max(0.0, (ended - began).total_seconds())


def machine(
    run: Run, changes: Sequence[Change], *, spot: bool, since: datetime, until: datetime
) -> Decimal | None:
    """US dollars for the part of the run within those bounds; None where no price is known.

    Changes are sorted by time; an on-demand price is one change.
    """
    if not changes:
        return None
    ended = max(min(run.ended or until, until), run.began + LEAST)
    if spot and run.interrupted and run.ended and run.ended - run.began < HOUR:
        return Decimal(0)
    total, hour = Decimal(0), run.began
    while hour < ended:
        part = Run(run.instance_id, hour, min(hour + HOUR, ended))
        bounds = max(part.began, since), max(until, ended)
        total += _price(changes, hour) * Decimal(seconds(part, *bounds)) / 3600
        hour += HOUR
    return total


def _price(changes: Sequence[Change], at: datetime) -> Decimal:
    """The one that held; of a time before them all, the first."""
    return changes[max(0, bisect_right(changes, at, key=lambda one: one.since) - 1)].dollars


@dataclass(frozen=True)
class Keeping:
    """A disk, a snapshot or an address, for as long as it was there."""

    kind: Literal["volume", "snapshot", "address"]
    id: str
    gib: int
    began: datetime
    ended: datetime | None = None


def keeping(one: Keeping, monthly: float, *, since: datetime, until: datetime) -> Decimal:
    """US dollars for it within those bounds, at so much a month of 730 hours."""
    spent = seconds(Run(one.id, one.began, one.ended), since, until)
    return Decimal(str(monthly)) * Decimal(spent) / (730 * 3600)
