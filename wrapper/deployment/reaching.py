"""The notebook of a deployment, logged in; and one that is held on to over hours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, TypeVar

from wrapper.deployment import look, place, verify
from wrapper.deployment.events import Note, Warned
from wrapper.errors import FingerprintError, LoginError, NoAnswerError

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
    found = way.aws.instance(record.instance_id) if record.instance_id else None
    if found is None or found.state != "running":
        state = found.state if found else "absent"
        again = "start" if state in ("stopped", "stopping") else "up"
        raise StoppedError(
            f"The machine of {name} is {state}.", hint=f"python -m wrapper {again} {name}"
        )
    if record.key_sha256 is None:
        raise NoAnswerError(
            f"{name} has no verified notebook.", hint=f"python -m wrapper up {name}"
        )
    where = verify.address(record, found.public_ip)
    pin = world.look_whose(where, record.key_sha256)
    notebook = world.speak(where, pin, verify.password(home))
    try:
        notebook.login()
    except BaseException:
        notebook.close()
        raise
    return notebook


class StoppedError(NoAnswerError):
    """There is no machine that could answer."""


class Line:
    """A connection that is made again when it is lost; a context manager, which closes it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.home, self.record = look.known(world, name)
        self.way = place.back_to(world, self.record)
        self._notebook: Notebook | None = None

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
        try:
            return call(self._notebook)
        except NoAnswerError:
            self.close()
            raise

    def keep_asking(self, call: Callable[[Notebook], T]) -> T:
        """Likewise; a machine that runs and is silent is asked again for five minutes."""
        until = time.monotonic() + PATIENCE
        lost = False
        while True:
            try:
                found = self.ask(call)
            except (FingerprintError, StoppedError):
                raise
            except NoAnswerError as error:
                # A login ends with the server's restart; a refused one is refused again.
                final = isinstance(error, LoginError) and lost
                if final or time.monotonic() > until:
                    raise
                if not lost:
                    self.world.report(Warned(f"{error.message} Asking again."))
                lost = True
                time.sleep(PAUSE)
                continue
            if lost:
                self.world.report(Note("It answers again."))
            return found
