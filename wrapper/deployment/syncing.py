"""`sync`: a folder here and one on the machine become the same, and conflicts stay both."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from wrapper import git_ignored, unison
from wrapper.deployment import far_end, ssh
from wrapper.deployment.bringing_files import far, refuse_home
from wrapper.deployment.events import News, Note, Progress, Warned
from wrapper.errors import AwsError, FingerprintError, NoAnswerError
from wrapper.unison import Pair, Tell

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.world import World
    from wrapper.unison import Outcome

_AGAIN = 2.0
"""Seconds between two tries of a machine that was lost."""
_WHOLE = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What was asked for besides the folders."""

    watch: bool = False
    delete: bool = False
    gitignore: bool = True
    force: bool = False


def sync(world: World, name: str, here: Path, target: str | None, wish: Wish) -> Outcome:
    """What changed at one end is at the other; what did not come together is told.

    FailedError, NoAnswerError, DiskError; SettingsError: a home directory, and not forced.
    LockedError: another command does it already.
    """
    unison.program()
    here = here.resolve()
    refuse_home(here, force=wish.force)
    there = far(target or here.name)
    folder = ssh.connect(world, name)
    pair = Pair(here=here, there=there, ssh=folder, delete=wish.delete, watch=wish.watch)
    with unison.locked(pair):
        while True:
            try:
                return _together(world, name, pair, wish)
            except NoAnswerError as error:
                if not wish.watch:
                    raise
                _reconnect(world, name, pair, error)


def _together(world: World, name: str, pair: Pair, wish: Wish) -> Outcome:
    """Once, or until the connection ends; the machine may be another one each time."""
    far_end.have(world, pair.ssh, name, "unison")
    found = _ignored(world, pair, gitignore=wish.gitignore)
    tell = Tell(
        say=lambda text: world.report(Note(text)),
        warn=lambda text: world.report(Warned(text)),
        progress=lambda done: world.report(Progress(done, _WHOLE, "bringing together")),
    )
    return unison.synchronise(dataclasses.replace(pair, ignored=found), world.environment, tell)


def _reconnect(world: World, name: str, pair: Pair, lost: NoAnswerError) -> None:
    """The machine is reached again, wherever it is now; nobody is told the same twice.

    FailedError, FingerprintError: it cannot be, however long somebody waits.
    """
    told = lost.message.splitlines()[0]
    world.report(News(f"{told} It goes on when the machine is reached again"))
    while True:
        time.sleep(_AGAIN)
        try:
            if not _is_reached(world, pair):
                ssh.connect(world, name)
            if _is_reached(world, pair):
                world.report(News("The machine is reached again"))
                return
        except FingerprintError:
            raise
        except (NoAnswerError, AwsError) as error:
            # AWS is not reached either while this computer is offline.
            if error.message != told:
                told = error.message
                world.report(Note(told))


def _is_reached(world: World, pair: Pair) -> bool:
    """Whether it is where it was: nobody else has its host key."""
    try:
        return far_end.ask(world, pair.ssh, "true").returncode == 0
    except NoAnswerError:
        return False


def _ignored(world: World, pair: Pair, *, gitignore: bool) -> tuple[str, ...]:
    """What git would leave out at either end; the folder is there."""
    if not gitignore:
        far_end.ignored(world, pair.ssh, pair.there, b"", [])
        return ()
    tracked = git_ignored.tracked(pair.here, world.environment)
    rules = git_ignored.rules(pair.here, world.environment)
    theirs = far_end.ignored(world, pair.ssh, pair.there, rules, tracked)
    ours = git_ignored.names(pair.here, world.environment) or []
    names = [one.decode("utf-8", "surrogateescape") for one in (*ours, *theirs)]
    found = [unison.path(one) for one in dict.fromkeys(names)]
    to_come = [] if tracked else git_ignored.simple(pair.here)
    return (*found, *(f"Name {one}" for one in to_come))
