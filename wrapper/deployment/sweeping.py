"""`sweep` and `down --all`: what was left in any region, shown with its price, and ended."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.deployment import budgeting, kept, take_down, whole_account
from wrapper.deployment.events import Note, Warned
from wrapper.errors import (
    CloudsError,
    CredentialsError,
    FailedError,
    UnansweredError,
    UsageError,
)
from wrapper.home import homes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.take_down import Down, Wish
    from wrapper.deployment.whole_account import Census, Found
    from wrapper.deployment.world import World

ALIVE = frozenset({"pending", "running", "stopping", "stopped"})


@dataclass(frozen=True)
class Swept:
    """What `sweep` came to."""

    ended: tuple[Down, ...]
    spared: tuple[tuple[Found, str], ...]
    """What was not touched, and why."""


def sweep(
    world: World,
    *,
    local: bool = False,
    regions: Sequence[str] = (),
    machines: bool = False,
    wish: Wish | None = None,
) -> Swept:
    """Nothing is left of deployments that this computer does not remember; each was asked about.

    Those with a machine may be somebody's at work: only with `machines`. FailedError when one could
    not be ended; the others were.
    """
    seen = whole_account.census(world, local=local, regions=regions)
    ended: list[Down] = []
    spared: list[tuple[Found, str]] = []
    failed: list[Found] = []
    for one in seen.found:
        if reason := _spare(one, machines=machines):
            spared.append((one, reason))
            continue
        world.report(Note(f"{one.name}, {one.region}: {price(one)}"))
        asked = wish or take_down.Wish()
        try:
            way = seen.ways[one.region]
            ended.append(take_down.by_tags(world, way, one.name, asked, always_ask=True))
        except UsageError as error:
            spared.append((one, error.message))
        except CloudsError as error:
            world.report(Warned(error.message))
            failed.append(one)
    if not regions:
        there = {one.name for one in (*(one for one, _ in spared if one.left), *failed)}
        _sweep_budgets(world, seen, there)
    if failed:
        listed = ", ".join(f"{one.name} in {one.region}" for one in failed)
        raise FailedError(f"Not ended: {listed}.", hint="See above; then python -m wrapper sweep")
    return Swept(tuple(ended), tuple(spared))


def _sweep_budgets(world: World, seen: Census, there: set[str]) -> None:
    """None is left of a name that has nothing any more; who may not look is not troubled.

    What was ended before is not lost for want of an answer here.
    """
    if seen.unsearched:
        # What has nothing elsewhere may be alive there.
        where = ", ".join(seen.unsearched)
        world.report(Note(f"No budget is touched: {where} could not be searched"))
        return
    way = next(iter(seen.ways.values()))
    records = [home.record() for home in homes(world.environment)]
    there |= {one.name for one in records if one and not one.ended}
    with contextlib.suppress(CredentialsError):
        for name in way.aws.budgets():
            question = f"A budget is left of {name}, which has nothing any more. Remove it?"
            try:
                if name not in there and world.confirm(question):
                    budgeting.end(world, way, name)
            except UnansweredError as error:
                world.report(Warned(f"The budget of {name} stays: {error.message}"))


def down_all(world: World, *, wish: Wish | None = None) -> list[Down]:
    """Every deployment that this computer remembers is down, one after another, each asked about.

    FailedError when one is not; the others are.
    """
    done: list[Down] = []
    failed: list[str] = []
    for home in homes(world.environment):
        record = home.record()
        if record is None or record.ended:
            continue
        try:
            done.append(take_down.down(world, home.name, wish=wish))
        except CloudsError as error:
            if error.exit_code not in (FailedError.exit_code, UsageError.exit_code):
                raise  # interrupted: nothing further is begun
            world.report(Warned(f"{home.name}: {error.message}"))
            failed.append(home.name)
    if failed:
        raise FailedError(
            f"Not down: {', '.join(failed)}.", hint=f"python -m wrapper down {failed[0]}"
        )
    return done


def price(one: Found) -> str:
    """What it costs, for a person."""
    parts = [kept.about(one.monthly_price)]
    if one.hourly_price is not None:
        parts.append(f"and ${one.hourly_price:.4f} an hour while its machine runs")
    elif one.state in ("pending", "running"):
        parts.append("and its machine, which runs")
    return " ".join(parts)


def _spare(one: Found, *, machines: bool) -> str | None:
    if not one.left:
        return "kept on purpose"
    if one.known:
        return f"this computer's: python -m wrapper down {one.name}"
    if one.state in ALIVE and not machines:
        return f"has a machine ({one.state}), perhaps another computer's: sweep --machines"
    return None
