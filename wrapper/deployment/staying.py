"""`up --watch`: it stays, and brings the notebook back whenever EC2 takes its machine away.

Nothing is locked while nothing happens, so that every other command works meanwhile. What has to be
done is another `up`: it can be interrupted and told again like any other.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Literal

from wrapper import refusals
from wrapper.deployment import bring_up, bringing_back, coming_back, place
from wrapper.deployment.events import News, Note, Warned
from wrapper.errors import AwsError, LockedError, NoAnswerError, RefusedError
from wrapper.home import Home, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.answering import Up
    from wrapper.deployment.place import Way
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Record

EVERY = 10.0
"""Seconds between looks."""
AGAIN = 120.0
"""Seconds until what was refused is tried again."""

Seen = Literal["runs", "rests", "taken", "lost", "over"]
"""rests: its owner stopped it; taken: EC2 did, and may start it; lost: EC2 ended it."""


def stay(world: World, wanted: Wanted, done: Up, tell: Callable[[Up], None]) -> Up:
    """Returns when nothing is left to watch, or at Ctrl-C between two looks: the last answer.

    `tell` is called for each time that the notebook answers again. CloudsError when that fails for
    another reason than capacity.
    """
    watching = _Watching(world, wanted)
    if not watching.begins():
        return done
    world.report(Note(f"Watching {wanted.name}, until Ctrl-C; the notebook runs on without it"))
    while True:
        try:
            time.sleep(EVERY)
            due = watching.look()
        except KeyboardInterrupt:
            world.report(Note(f"{wanted.name} is not watched any more, and stays as it is"))
            return done
        if due is None:
            return done
        if due and (again := watching.bring_back()):
            done = again
            world.report(News(f"{wanted.name} answers again"))
            tell(done)
            if not watching.begins():
                return done


class _Watching:
    """What is known of one deployment from one look to the next."""

    def __init__(self, world: World, wanted: Wanted) -> None:
        self._world = world
        self._home = Home(root(world.environment) / wanted.name)
        # What was for the first time only, such as another machine or password, is done.
        self._wanted = dataclasses.replace(
            wanted, replace=False, watch=False, password_said=False, generate_password=False
        )
        self._way: Way | None = None
        self._down_since: float | None = None
        self._not_before = 0.0
        self._last = ""

    def begins(self) -> bool:
        """There is something to watch: only spot machines are taken away."""
        record = self._home.record()
        if record is None or record.ended or not record.outputs.get("spot_request_id"):
            self._tell(f"{self._wanted.name}: EC2 takes no on-demand machine away, so that is all")
            return False
        self._way = place.back_to(self._world, record)
        self._down_since, self._not_before, self._last = None, 0.0, ""
        return True

    def look(self) -> bool | None:
        """Whether something is to be done now; None when there is nothing to watch any more."""
        record = self._home.record()
        if record is None or record.ended or self._way is None:
            self._tell(f"{self._wanted.name} was ended by another command")
            return None
        try:
            seen, words = _see(self._way, record)
        except AwsError as error:  # a hiccup of the API
            self._tell(error.message)
            return False
        if seen == "over":
            self._tell(f"{self._wanted.name}: {words}", News)
            return None
        if seen == "runs":
            self._last = ""
            return self._down_since is not None
        self._tell(f"{self._wanted.name}: {words}", News)
        if seen == "rests":
            self._down_since = None
            return False
        return self._is_due(seen, record)

    def _is_due(self, seen: Seen, record: Record) -> bool:
        """A machine that EC2 may start is moved away from after a while, where that is allowed."""
        now = time.monotonic()
        if self._down_since is None:
            self._down_since = now
        allowed = Settings().over(record.settings).fallbacks
        moves = bool(allowed) and now - self._down_since >= bringing_back.MOVE_AFTER
        return now >= self._not_before and (seen == "lost" or moves)

    def bring_back(self) -> Up | None:
        """It answers again; None when EC2 has nothing for it now, or another command is at work."""
        try:
            return bring_up.up(_unattended(self._world, self._home), self._wanted)
        except RefusedError as error:
            self._world.report(Warned(f"{error.message} It is tried again"))
        except LockedError as error:
            self._world.report(Note(error.message))
        except NoAnswerError:
            if not self._is_down():
                raise
        self._not_before = time.monotonic() + AGAIN
        return None

    def _is_down(self) -> bool:
        """It was taken away again, or still is, and that is why it does not answer."""
        record = self._home.record()
        return bool(record and self._way and _see(self._way, record)[0] in ("taken", "lost"))

    def _tell(self, text: str, kind: type[Note] = Note) -> None:
        if text and text != self._last:
            self._last = text
            self._world.report(kind(text))


def _see(way: Way, record: Record) -> tuple[Seen, str]:
    """How the machine stands, and what there is to tell of it. AwsError."""
    request = coming_back.machines_request(way, record)
    machine = way.aws.instance(record.instance_id) if record.instance_id else None
    words = refusals.in_words(request.state, request.status) if request else ""
    if machine is None or machine.state in ("shutting-down", "terminated"):
        # Whoever cancels the request has ended it on purpose: `stop --keep-down`, for one.
        cancelled = request is None or request.state == "cancelled"
        lost = request and not cancelled and refusals.was_terminated(request.status)
        return ("lost", words) if lost else ("over", "its machine was ended, and not by EC2")
    if coming_back.interrupted(way, record):
        return "taken", words
    if machine.state in ("stopping", "stopped"):
        return "rests", words
    return "runs", ""


def _unattended(world: World, home: Home) -> World:
    """The world with nobody to ask, as long as no data can be lost: --fallback was the answer."""
    record = home.record()
    if record is None or not record.outputs.get("data_volume_id"):
        return world
    return dataclasses.replace(world, confirm=lambda _: True)
