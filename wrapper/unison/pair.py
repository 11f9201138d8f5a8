"""Two folders that Unison brings together: its profile for just these two, and their lock."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import lock, openssh
from wrapper.errors import LockedError, SettingsError
from wrapper.home import DIRECTORY_MODE, SECRET_MODE, as_disk_error, write_private
from wrapper.monitor import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wrapper.lock import Holder

KEPT = "nodeletion"
MONITORS = ("unison-fsmonitor", *(f"unison-fsmonitor-2.{minor}" for minor in range(52, 60)))
"""What Unison looks for: first with its own version, beside itself and on its way."""
_LETTERS = str.maketrans({char: f"\\{char}" for char in "\\*?[]{},"} | dict.fromkeys("\n\r", "?"))
_EDGES = re.compile(r"^\s|\s$")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two folders, and what is between them."""

    here: Path
    there: str
    """Below the machine's home directory, or absolute."""
    ssh: Path
    """Folder of ssh's configuration."""
    ignored: tuple[str, ...] = ()
    """Conditions of Unison's `ignore`, as in `Path deep/file` and `Name *.log`."""
    delete: bool = False
    """What was deleted at one end is deleted at the other."""
    watch: bool = False
    """Until interrupted."""
    known: bytes | None = None
    """Of a watch: what git leaves out here already; None where nothing is left out."""
    lenient: bool = False
    """A file that git leaves out may go, where more come to be faster than git is asked."""
    bare: bool = False
    """Whether there is no repository here, but the folder `rules` as one."""

    @property
    def own(self) -> Path:
        """Unison's own folder: its memory of all pairs, and a profile for each."""
        return self.ssh / "unison"

    @property
    def profile(self) -> str:
        """The profile's name: another pair's has another."""
        both = os.fsencode(self.here) + b"\0" + os.fsencode(self.there)
        return f"clouds-{hashlib.sha256(both).hexdigest()[:16]}"

    @property
    def monitor(self) -> Path:
        """Folder of what tells this end's Unison of changes."""
        return self.own / f"{self.profile}.watch"

    @property
    def rules(self) -> Path:
        """Where git finds a repository, if there is none."""
        return self.monitor / "git"

    @property
    def far_monitor(self) -> str:
        """The same at the other end, below the home directory."""
        return f".cache/jupyter-clouds/sync/{self.profile}"


def path(name: str) -> str:
    """Just that name, below the folder, and what is in it."""
    # A profile's lines end before their last blank, and begin after their first.
    letters = name.rstrip("/").translate(_LETTERS)
    return "Path " + _EDGES.sub("?", letters)


@contextmanager
def locked(pair: Pair) -> Iterator[int]:
    """No other command of this computer brings these two folders together. LockedError.

    A Unison that inherits the descriptor keeps the lock, should its parent be killed.
    """
    file = pair.own / f"{pair.profile}.lock"
    with as_disk_error(file):
        pair.own.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET_MODE)
    try:
        if holder := lock.take(descriptor, "sync"):
            raise _locked_by(pair, holder)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked_by(pair: Pair, holder: Holder) -> LockedError:
    both = f"{pair.here} and {pair.there}"
    if holder.lives:
        return LockedError(
            f"Process {holder.pid} brings {both} together already.",
            hint=f"Let it, or end it: kill {holder.pid}",
        )
    return LockedError(
        f"The Unison of a command that is gone still brings {both} together.",
        hint=f"Let it, or end it: pkill -f {pair.profile}",
    )


def write(pair: Pair) -> None:
    """The profile says what is to be done, and how ssh gets there. SettingsError, DiskError."""
    roots = [str(pair.here), f"ssh://{openssh.folder_name(pair.ssh)}/{pair.there}"]
    if any("\n" in one or one != one.strip() for one in roots):
        raise SettingsError(
            f"{pair.here}: Unison cannot name this folder.", hint="Rename it: mv FROM TO"
        )
    # Unison splits what it gives to ssh at blanks, which the configuration's path may have.
    way = write_private(pair.own / f"{pair.profile}.ssh", _ssh_program(pair))
    way.chmod(0o700)
    lines = [
        *(f"root = {one}" for one in roots),
        f"sshcmd = {way}",
        *("auto = true", "batch = true", "times = true", "contactquietly = true"),
        # What both ends had, and now is gone at one as a whole: a disk that is not mounted.
        "confirmbigdel = true",
        # Left by one that lost its connection; nobody else is at work, which our own lock says.
        "ignorelocks = true",
        *(_monitored(pair) if pair.watch else ()),
        *("ignore = Name .git", *(f"ignore = {one}" for one in pair.ignored)),
        *(() if pair.delete else (f"{KEPT} = {one}" for one in roots)),
    ]
    write_private(pair.own / f"{pair.profile}.prf", "\n".join(lines) + "\n")


def _monitored(pair: Pair) -> list[str]:
    """Both ends are told of changes by our own monitor: not every Unison is packaged with one."""
    archive, known = pair.monitor / "monitor.pyz", pair.monitor / "known"
    script = [sys.executable, "-I", str(archive)]
    with as_disk_error(known):
        pair.monitor.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        archive.write_bytes(program.archive())
        if pair.known is not None:
            known.write_bytes(pair.known)
            script += ["--known", str(known), *(["--git", str(pair.rules)] if pair.bare else [])]
            script += ["--lenient"] if pair.lenient else []
        for name in MONITORS:
            called = write_private(pair.monitor / name, f"#!/bin/sh\nexec {shlex.join(script)}\n")
            called.chmod(0o700)
    return [f'servercmd = PATH="$HOME/{pair.far_monitor}:$PATH" unison', "repeat = watch"]


def _ssh_program(pair: Pair) -> str:
    config = shlex.quote(str(pair.ssh / openssh.CONFIG))
    ssh = f'{shlex.quote(openssh.program("ssh"))} -F {config} "$@"'
    if not pair.watch:
        return f"#!/bin/sh\nexec {ssh}\n"
    # While it waits for changes, Unison 2.52 does not notice that the connection has ended.
    alive = '[ "$(ps -o ppid= -p $$ | tr -d " ")" = "$PPID" ]'
    return f'#!/bin/sh\n{ssh}\n{alive} && kill "$PPID"\n'
