"""`sync`: a folder here and one on the machine become the same, and conflicts stay both."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING

from wrapper import unison
from wrapper.deployment import far_end, ssh
from wrapper.deployment.events import News, Note, Progress, Warned
from wrapper.deployment.far_end import Left
from wrapper.deployment.precautions import far, links_out, refuse_home, refuse_home_there
from wrapper.errors import AwsError, FingerprintError, NoAnswerError
from wrapper.git_ignored import Git
from wrapper.unison import Pair, Tell

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.world import World
    from wrapper.unison import Outcome

_AGAIN = 2.0
"""Seconds between two tries of a machine that was lost."""
_TRIES = 5
"""Times in a row that Unison is started anew for files that came to be meanwhile."""
_WHOLE = 100
_NAMED = 10


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
    refuse_home_there(there, "sync would bring here", force=wish.force)
    folder = ssh.connect(world, name)
    pair = Pair(here=here, there=there, ssh=folder, delete=wish.delete, watch=wish.watch)
    with unison.locked(pair) as lock:
        _name_links(world, here, wish)
        while True:
            try:
                return _together(world, name, pair, wish, lock)
            except NoAnswerError as error:
                if not wish.watch:
                    raise
                _reconnect(world, name, pair, error)


def _together(world: World, name: str, pair: Pair, wish: Wish, lock: int) -> Outcome:
    """Once, or until the connection ends; the machine may be another one each time."""
    far_end.have(world, pair.ssh, name, "unison")
    if wish.watch:
        far_end.watch(world, pair.ssh, pair.far_monitor, gitignore=wish.gitignore)
    tell = Tell(
        say=lambda text: world.report(Note(text)),
        warn=lambda text: world.report(Warned(text)),
        progress=lambda done: world.report(
            Progress(done, _WHOLE, f"brought together: {done} %", over=done >= _WHOLE)
        ),
    )
    early = 0
    while True:
        far_end.save_open(world, pair.ssh)
        try:
            known = _leaving_out(world, pair, wish)
            return unison.synchronise(known, world.environment, tell, lock)
        except unison.RulesError as error:
            early = early + 1 if error.early else 0
            pair = _bearing(world, pair, error.name, lenient=early >= _TRIES)


def _bearing(world: World, pair: Pair, name: str, *, lenient: bool) -> Pair:
    """The monitors let go what comes to be all the time, or no longer, and are as they were."""
    if lenient == pair.lenient:
        return pair
    if lenient:
        text = f"{name} and others come to be faster than git is asked: some of them may go along"
        world.report(Warned(text))
    far_end.watch(world, pair.ssh, pair.far_monitor, gitignore=True, lenient=lenient)
    return dataclasses.replace(pair, lenient=lenient)


def _name_links(world: World, here: Path, wish: Wish) -> None:
    """Links go as links: there, one that leads out of the folder leads elsewhere, or nowhere."""
    git = Git(here, world.environment)
    left_out = {os.fsdecode(one.rstrip(b"/")) for one in git.names()} if wish.gitignore else set()
    found = list(links_out(here, left_out))
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        listed = ", ".join(found[:_NAMED])
        world.report(Warned(f"lead out of the folder, and go as they are: {listed}{more}"))


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


def _leaving_out(world: World, pair: Pair, wish: Wish) -> Pair:
    """It knows what git would leave out at either end; the folder is there."""
    kept = pair.far_monitor if wish.watch else ""
    if not wish.gitignore:
        far_end.ignored(world, pair.ssh, pair.there, Left(kept=kept))
        return pair
    git = Git(pair.here, world.environment)
    left = Left(rules=git.rules(), tracked=git.tracked(), kept=kept)
    theirs = far_end.ignored(world, pair.ssh, pair.there, left)
    ours = git.names(pair.rules if wish.watch else None)
    names = [one.decode("utf-8", "surrogateescape") for one in (*ours, *theirs)]
    return dataclasses.replace(
        pair,
        ignored=tuple(unison.path(one) for one in dict.fromkeys(names)),
        known=b"\0".join(ours) if git.program else None,
        bare=not git.is_repository(),
    )
