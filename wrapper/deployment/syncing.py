"""`sync`: a folder here and one on the machine become the same, and conflicts stay both."""

from __future__ import annotations

import dataclasses
import shlex
import time
from typing import TYPE_CHECKING

from wrapper import git_ignored, unison
from wrapper.deployment import far_end, ssh
from wrapper.deployment.bringing_files import far, refuse_home
from wrapper.deployment.events import News, Note
from wrapper.errors import FailedError, FingerprintError, NoAnswerError
from wrapper.unison import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.world import World
    from wrapper.unison import Outcome

_AGAIN = 2.0
"""Seconds between two tries of a machine that was lost."""

# Names that git would leave out there, a zero byte after each.
_IGNORED = """\
mkdir -p {there} && cd {there} || exit
command -v git >/dev/null || exit 0
bare=$(mktemp -d)
git init -q --bare "$bare"
git --git-dir="$bare" --work-tree=. ls-files -z -oi --exclude-standard --directory
rm -rf "$bare"
"""


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
    """
    unison.program()
    here = here.resolve()
    refuse_home(here, force=wish.force)
    there = far(target or here.name)
    folder = ssh.connect(world, name)
    far_end.have(world, folder, name, "unison")
    pair = Pair(here=here, there=there, ssh=folder, delete=wish.delete, watch=wish.watch)
    pair = dataclasses.replace(pair, ignored=_ignored(world, pair, gitignore=wish.gitignore))
    while True:
        try:
            return unison.synchronise(
                pair, world.environment, lambda text: world.report(Note(text))
            )
        except NoAnswerError as error:
            if not wish.watch:
                raise
            _reconnect(world, name, error)


def _reconnect(world: World, name: str, lost: NoAnswerError) -> None:
    """The machine is reached again, wherever it is now; nobody is told the same twice.

    FailedError, FingerprintError: it cannot be, however long somebody waits.
    """
    told = lost.message.splitlines()[0]
    world.report(News(f"{told} It goes on when the machine is reached again"))
    while True:
        time.sleep(_AGAIN)
        try:
            folder = ssh.connect(world, name)
            if far_end.ask(world, folder, "true").returncode == 0:
                world.report(News("The machine is reached again"))
                return
        except FingerprintError:
            raise
        except NoAnswerError as error:
            if error.message != told:
                told = error.message
                world.report(Note(told))


def _ignored(world: World, pair: Pair, *, gitignore: bool) -> tuple[str, ...]:
    """What git would leave out at either end; the folder is there."""
    done = far_end.ask(world, pair.ssh, _IGNORED.format(there=shlex.quote(pair.there)))
    if done.returncode:
        raise FailedError(
            f"The machine cannot make {pair.there}: {done.stderr.strip()}",
            hint="python -m wrapper ssh -- ls -la work",
        )
    if not gitignore:
        return ()
    ours = git_ignored.names(pair.here, world.environment) or []
    names = [one.decode("utf-8", "surrogateescape") for one in ours] + done.stdout.split("\0")
    found = [unison.path(one) for one in dict.fromkeys(names) if one]
    return (*found, *(f"Name {one}" for one in git_ignored.simple(pair.here)))
