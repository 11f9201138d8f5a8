"""`logs`: what the machine wrote, from its journal, or from its console where that is not had."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import console
from wrapper.deployment import far_end, look, place, reaching, ssh
from wrapper.deployment.awake import StoppedError
from wrapper.deployment.events import Note, Warned
from wrapper.errors import CloudsError, FingerprintError, NoAnswerError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Notebook

EVERY = 1.0
"""Seconds between two looks at the journal."""
EVERY_CONSOLE = 5.0
"""Likewise at the console, whose API counts requests."""
_SHOWS = ("python3", "-S", "/opt/jupyter-clouds/services/logs.py")
MOST = 5000
"""Lines that the machine gives at once."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines."""

    phase: str | None = None
    lines: int = 200
    follow: bool = False


@dataclass(frozen=True)
class Log:
    """What there was."""

    source: str
    """journal or console."""
    text: str


def logs(world: World, name: str, wanted: Wanted, told: Callable[[str], None]) -> Log:
    """The lines were told as they came; with `follow` until KeyboardInterrupt.

    NoAnswerError: there is no machine, or neither notebook nor console tells anything.
    """
    home, record = look.known(world, name)
    if record.instance_id is None:
        raise NoAnswerError(f"{name} has no machine.", hint=f"python -m wrapper up {name}")
    reader = _Reader(world, home, record, wanted)
    with contextlib.closing(reader):
        first = reader.read()
        told(first.text)
        while wanted.follow:
            time.sleep(EVERY if reader.source == "journal" else EVERY_CONSOLE)
            if more := reader.read_on():
                told(more)
    return first


class _Reader:
    """Reads on where it was; goes over to the other source when one ends."""

    def __init__(self, world: World, home: Home, record: Record, wanted: Wanted) -> None:
        self.world, self.home, self.record, self.wanted = world, home, record, wanted
        self.way = place.back_to(world, record)
        self.notebook: Notebook | None = None
        self.cursor: str | None = None
        self.folder: Path | None = None
        self.shown = ""
        self.source = ""

    def close(self) -> None:
        """No connection is left open."""
        if self.notebook:
            self.notebook.close()
        self.notebook = None

    def read(self) -> Log:
        """What is new. NoAnswerError, FingerprintError."""
        try:
            return Log("journal", self._journal())
        except FingerprintError:
            raise
        except CloudsError as error:
            self.close()
            why = error
        if ssh.leads_there(self.home) and not isinstance(why, StoppedError):
            try:
                return Log("journal", self._over_ssh(why))
            except FingerprintError:
                raise
            except CloudsError:
                self.folder = None
        return Log("console", self._console(why))

    def read_on(self) -> str:
        """Likewise, as long as it takes: nothing while this computer is offline."""
        try:
            return self.read().text
        except UnreachableError as error:
            self._say("nowhere", Warned(f"{error.message} Asking again."))
            return ""

    def _journal(self) -> str:
        self.notebook = self.notebook or reaching.logged_in(
            self.world, self.way, self.home, self.record
        )
        lines = MOST if self.cursor else self.wanted.lines
        found = self.notebook.logs(self.wanted.phase, lines=lines, after=self.cursor)
        if found is None:
            raise NoAnswerError("An older version made its machine, which shows no journal.")
        self._say("journal", Note("From the machine's journal, over the pinned connection."))
        self.cursor = found.cursor
        return found.text

    def _over_ssh(self, why: CloudsError) -> str:
        """The same journal, where Jupyter itself is what does not answer."""
        self.folder = self.folder or ssh.connect(self.world, self.record.name)
        lines = MOST if self.cursor else self.wanted.lines
        asked = {"phase": self.wanted.phase, "lines": lines, "after": self.cursor}
        words = shlex.join([*_SHOWS, json.dumps(asked)])
        done = far_end.ask(self.world, self.folder, words)
        try:
            found = json.loads(done.stdout)
            text, self.cursor = str(found["text"]), found["cursor"]
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswerError(f"The machine shows no journal: {done.stderr.strip()}") from error
        self._say("ssh", Note(f"{why.message} From the machine's journal, over SSH."))
        return text

    def _console(self, why: CloudsError) -> str:
        whole = self.way.aws.console(self.record.instance_id or "")
        text = console.of_phase(whole, self.wanted.phase)
        self._say(
            "console",
            Warned(
                f"{why.message} So this is from the console, through the EC2 API: it shows less, "
                "on some types minutes late."
            ),
        )
        if not text and self.wanted.phase and not self.wanted.follow:
            raise NoAnswerError(
                f"The console shows nothing of {self.wanted.phase}.",
                hint=f"All that it shows: python -m wrapper status {self.record.name} --console",
            )
        new = _behind(self.shown, text)
        if not self.shown:
            new = "".join(new.splitlines(keepends=True)[-self.wanted.lines :])
        self.shown = text
        return new

    def _say(self, source: str, event: Note | Warned) -> None:
        if source != self.source:
            self.world.report(event)
            self.source = source


def _behind(before: str, now: str) -> str:
    """What came since; of a console that has lost its beginning, what follows the last line."""
    if now.startswith(before):
        return now[len(before) :]
    last = before.rstrip("\n").rpartition("\n")[2]
    _, found, new = now.rpartition(last + "\n")
    return new if found else now
