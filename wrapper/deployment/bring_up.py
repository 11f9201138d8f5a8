"""`up`: the notebook answers, its certificate pinned, logged in, a cell run."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper.deployment import (
    answering,
    applying,
    autostop,
    coming_back,
    growing,
    launching,
    moving,
    packages,
    preparing,
    question,
    restoring,
)
from wrapper.deployment.bringing_back import bring_back, move_away
from wrapper.deployment.going import Going
from wrapper.deployment.progress import Meter
from wrapper.deployment.watch import Watch
from wrapper.errors import Interrupted, RefusedError, UsageError
from wrapper.home import Home, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrapper.deployment.answering import Up
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Record


def up(world: World, wanted: Wanted, *, answers: Callable[[Up], None] = lambda _: None) -> Up:
    """The notebook answers, verified. NoAnswerError when the machine exists and it does not.

    `answers` is called as soon as it does. From then on nothing is locked: packages may be sent
    there for long, and who waits for that may stop the machine, let another address in, add hours.
    """
    home = Home(root(world.environment) / check_name(wanted.name))
    home.create()
    autostop.agree(world, wanted.settings.max_hours)
    with home.locked(f"up {wanted.name}") as lock:
        known = home.record()
        with _agreed(home, known):
            ready = preparing.prepare(world, home, wanted, lock)
            was = autostop.before(world, home, ready.way, known)
            _ask(world, home, ready, rested=was.rested)
        packages.keep(home, wanted)
        meter = Meter(world.report)
        watch = Watch(
            world.aws_like(ready.way),
            wanted.name,
            meter.event,
            ignore=applying.machines_of_before(ready),
        )
        going = Going(
            world, home, ready.way, meter, watch, ready.pair, untouched=ready.nothing_to_do
        )
        with _told_what_exists(ready):
            ready = restoring.settle(world, home, ready)
            record = _made(going, ready, stay=wanted.watch)
            done = _answer(going, ready, record)
            moving.settle(world, home, ready.way)
            autostop.settle(world, home, ready.way, was)
    with _told_what_exists(ready):
        growing.settle(world, home, ready)
        answers(done)
        packages.settle(world, home)
    return done


@contextmanager
def _told_what_exists(ready: Prepared) -> Iterator[None]:
    """Ctrl-C leaves as Interrupted."""
    try:
        yield
    except KeyboardInterrupt as error:
        exists = applying.what_exists(ready.way, ready.record.name)
        hint = applying.ways_on(ready.record)
        raise Interrupted(f"Interrupted. {exists}", hint=hint) from error


@contextmanager
def _agreed(home: Home, known: Record | None) -> Iterator[None]:
    """No other command takes up what was refused here, or that nobody agreed to.

    But for the password, which is in a file of its own: that and its hash stay together.
    """
    before = home.variables()
    try:
        yield
    except BaseException:
        if before and known and not known.ended:
            now = home.variables()
            hashed = {key: now[key] for key in ("password_hash",) if key in now}
            home.write_variables(before | hashed)
        raise


def _answer(going: Going, ready: Prepared, record: Record) -> Up:
    """It answers, elsewhere where EC2 has no room any more for a machine that was stopped."""
    same = record.instance_id == ready.record.instance_id
    going = dataclasses.replace(going, untouched=ready.nothing_to_do and same)
    try:
        return answering.answer(going, record)
    except RefusedError as error:
        record = move_away(going, ready, record, error)
    return answering.answer(dataclasses.replace(going, untouched=False), record)


def _made(going: Going, ready: Prepared, *, stay: bool) -> Record:
    """The machine exists, and is one that can be started."""
    world, home = going.world, going.home
    if ready.nothing_to_do:
        record = home.remember(ready.record)
    else:
        record = launching.launch(going, _moved(world, home, ready))
    if request := coming_back.interrupted(ready.way, record):
        return bring_back(going, ready, record, request, stay=stay)
    return record


def _moved(world: World, home: Home, ready: Prepared) -> Prepared:
    """Where the user wants another zone, the data is carried there first."""
    if _elsewhere(home, ready):
        home.remember(ready.record)
        return moving.towards(world, home, ready, ready.candidates[0])
    return ready


def _elsewhere(home: Home, ready: Prepared) -> str | None:
    """The zone that the user wants, where the data is in another."""
    volume, zone = moving.data_volume(ready.way, home), ready.candidates[0].zone
    asked = ready.record.settings.get("subnet_id")
    return zone if asked and volume and volume.zone != zone else None


def _of_the_data(home: Home, ready: Prepared) -> str | None:
    """What the question tells of it; None when there is nothing to tell."""
    elsewhere = _elsewhere(home, ready)
    goes = f"goes to {elsewhere}, by a snapshot" if elsewhere else None
    return ", ".join(filter(None, (ready.origin.words, goes))) or None


def _data_gib(ready: Prepared) -> int | None:
    """Of what the data is on, or begins with; None for a new volume."""
    told = ready.record.outputs.get("data_volume_id")
    there = ready.way.aws.volume(told) if isinstance(told, str) else None
    found = there or ready.origin.volume or ready.origin.snapshot
    return found.gib if found else None


def _ask(world: World, home: Home, ready: Prepared, *, rested: bool) -> None:
    """The user has agreed. UsageError when not, or when it costs too much; nothing was made."""
    record = ready.record
    unchanged = ready.plan is not None and not ready.plan.changes
    if unchanged and not (rested and ready.max_price):
        return
    zone = record.outputs.get("availability_zone") or ready.candidates[0].zone
    price = ready.way.aws.hourly_price(
        question.instance_type(record), zone, question.market(record)
    )
    if refused := question.too_dear(price, ready.max_price):
        if ready.fresh:
            home.end(record)
        raise refused
    if unchanged:
        return
    reach = preparing.allowed(record)
    text = question.describe(
        record,
        ready.plan,
        ready.facts,
        price,
        reach,
        data=_of_the_data(home, ready),
        data_gib=_data_gib(ready),
    )
    if world.confirm(f"{text}\n\nGo on?"):
        return
    if ready.fresh:
        home.end(record)
    raise UsageError("Nothing was made.", hint=f"python -m wrapper up {record.name}")
