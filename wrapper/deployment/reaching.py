"""The notebook of a deployment, logged in; and one that is held on to over hours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, TypeVar

from wrapper.deployment import awake, logging_in, look, place, verify
from wrapper.deployment.awake import StoppedError
from wrapper.deployment.events import Note, Warned
from wrapper.errors import (
    FingerprintError,
    LoginError,
    NoAnswerError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Notebook

T = TypeVar("T")
PATIENCE = 300.0
"""Seconds in which a lost connection may come back."""
PAUSE = 2.0


def logged_in(world: World, way: Way, home: Home, record: Record) -> Notebook:
    """The notebook, to be closed by whoever asked. NoAnswerError, FingerprintError, LoginError."""
    name = record.name
    found = awake.running(way, record)
    if record.key_sha256 is None:
        raise NoAnswerError(
            f"{name} has no verified notebook.", hint=f"python -m wrapper up {name}"
        )
    where = verify.address(record, found.public_ip)
    pin = world.look_whose(where, record.key_sha256)
    return logging_in.logged_in(world, home, where, pin)


class Line:
    """A connection that is made again when it is lost; a context manager, which closes it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.home, self.record = look.known(world, name)
        self.way = place.back_to(world, self.record)
        self._notebook: Notebook | None = None
        self._had_one = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No connection is left open."""
        if self._notebook:
            self._notebook.close()
        self._notebook = None

    def ask(self, call: Callable[[Notebook], T]) -> T:
        """What the call returns. NoAnswerError, FingerprintError, LoginError."""
        if self._notebook is None:
            self._notebook = logged_in(self.world, self.way, self.home, self.record)
            self._had_one = True
        try:
            return call(self._notebook)
        except NoAnswerError:
            self.close()
            raise

    def keep_asking(self, call: Callable[[Notebook], T]) -> T:
        """Likewise; a machine that runs and is silent is asked again for five minutes.

        Of these none pass while this computer is offline, once the machine was reached.
        """
        until = None
        while True:
            try:
                found = self.ask(call)
            except (FingerprintError, StoppedError):
                raise
            except (NoAnswerError, UnreachableError) as error:
                # A login ends with the server's restart; a refused one is refused again.
                if isinstance(error, LoginError) and until is not None:
                    raise
                offline = isinstance(error, UnreachableError) and self._had_one
                if until is None:
                    self.world.report(Warned(f"{error.message} Asking again."))
                if until is None or offline:
                    until = time.monotonic() + PATIENCE
                if time.monotonic() > until:
                    raise
                time.sleep(max(PAUSE, error.seconds if isinstance(error, ThrottledError) else 0))
                continue
            if until is not None:
                self.world.report(Note("It answers again."))
            return found
