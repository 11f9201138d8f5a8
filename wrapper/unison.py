"""Unison over ssh, both ways: what changed at both ends is left at both, and named.

https://github.com/bcpierce00/unison/blob/master/doc/unison-manual.tex
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import openssh
from wrapper.errors import DiskError, FailedError, NoAnswerError, SettingsError
from wrapper.home import DIRECTORY_MODE, as_disk_error, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

PACKAGE = "apt-get install unison, dnf install unison, or brew install unison"
_LEAST = (2, 52)
"""From there on, versions understand one another."""
_PROFILE = "clouds"
_COPYING = re.compile(
    r"\[BGN\] (?P<verb>Copying|Updating file|Deleting) (?P<what>(?P<name>.+?)( from .+)?)"
)
_SKIPPED = re.compile(r"  skipped: (?P<name>.+) \((?P<why>[^()]+)\)")
_FAILED = re.compile(r"  failed: (?P<name>.+)")
_KEPT = "nodeletion"
_LOST = "-ignorearchives"
_LETTERS = str.maketrans({char: f"\\{char}" for char in "\\*?[]{},"} | {"\n": "?"})


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


@dataclass(frozen=True)
class Outcome:
    """What was not brought together."""

    conflicts: tuple[str, ...] = ()
    """Changed at both ends."""
    kept: tuple[str, ...] = ()
    """Deleted at one end only."""
    changed: tuple[str, ...] = ()
    """Brought to the other end, or deleted there."""


def program() -> str:
    """Unison on this computer. FailedError when it is missing or too old."""
    found = openssh.program("unison", package=PACKAGE)
    told = subprocess.run([found, "-version"], check=False, capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < _LEAST:
        needed = ".".join(map(str, _LEAST))
        raise FailedError(f"{found} is {told.strip()}; {needed} is needed.", hint=PACKAGE)
    return found


def path(name: str) -> str:
    """Just that name, below the folder, and what is in it."""
    return "Path " + name.rstrip("/").translate(_LETTERS)


def synchronise(pair: Pair, given: Mapping[str, str], say: Callable[[str], None]) -> Outcome:
    """What changed at one end is at the other; what did not come together.

    NoAnswerError, DiskError, FailedError: some of it could not be done.
    """
    try:
        return _once(pair, given, say, ())
    except _LostMemoryError:
        # One end forgot what both had (a machine made anew, a `down` in between): everything is
        # compared, nothing is deleted, and what differs is a conflict.
        return _once(pair, given, say, (_LOST,))


class _LostMemoryError(Exception):
    pass


def _once(
    pair: Pair, given: Mapping[str, str], say: Callable[[str], None], more: Sequence[str]
) -> Outcome:
    own = _profile(pair)
    environment = openssh.environment(given) | {
        "UNISON": str(own),
        # Its memory bears the computer's name, which changes with the network on some.
        "UNISONLOCALHOSTNAME": "here",
    }
    repeat = ("-repeat", "1") if pair.watch else ()
    with subprocess.Popen(
        [program(), _PROFILE, "-ui", "text", "-dumbtty", *repeat, *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    ) as running:
        try:
            read = _read(running.stderr or (), say)
        except BaseException:
            running.terminate()
            raise
    if running.returncode == -signal.SIGTERM:
        raise NoAnswerError("The connection ended.", hint="python -m wrapper ssh")
    return _judge(running.returncode, read)


class _Read:
    def __init__(self) -> None:
        self.changed: dict[str, None] = {}
        self.conflicts: dict[str, None] = {}
        self.kept: dict[str, None] = {}
        self.failed: dict[str, None] = {}
        self.last: list[str] = []


def _read(lines: Iterable[str], say: Callable[[str], None]) -> _Read:
    """What Unison says, told as it says it; each conflict once."""
    read = _Read()
    for raw in lines:
        line = raw.rstrip("\n")
        read.last = [*read.last[-7:], line]
        if found := _COPYING.fullmatch(line):
            read.changed[found["name"]] = None
            say(f"{found['verb'].lower()} {found['what']}")
        elif found := _SKIPPED.fullmatch(line):
            kind = read.kept if _KEPT in found["why"] else read.conflicts
            if found["name"] not in kind:
                kind[found["name"]] = None
                gone = "deleted at one end, stays at the other"
                why = gone if kind is read.kept else found["why"]
                say(f"left as it is: {found['name']} ({why})")
        elif found := _FAILED.fullmatch(line):
            read.failed[found["name"]] = None
    return read


def _judge(code: int, read: _Read) -> Outcome:
    words = "\n".join(line for line in read.last if line.strip())
    if "-ignorearchives" in words:
        raise _LostMemoryError
    if "No space left on device" in words:
        raise DiskError(
            f"A disk is full: {words}", hint="Here: df -h . There: python -m wrapper status"
        )
    if "Lost connection" in words:
        raise NoAnswerError(f"The connection ended: {words}", hint="python -m wrapper ssh")
    if read.failed or code not in (0, 1):
        listed = ", ".join(read.failed) or words
        raise FailedError(
            f"Not everything was brought together: {listed}", hint="Again: it goes on."
        )
    return Outcome(tuple(read.conflicts), tuple(read.kept), tuple(read.changed))


def _profile(pair: Pair) -> Path:
    """The folder of Unison's own, with what it is to do in it."""
    own = pair.ssh / "unison"
    roots = [str(pair.here), f"ssh://{openssh.folder_name(pair.ssh)}/{pair.there}"]
    if any("\n" in one or one != one.strip() for one in roots):
        raise SettingsError(
            f"{pair.here}: Unison cannot name this folder.", hint="Rename it: mv FROM TO"
        )
    with as_disk_error(own):
        own.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    # Unison splits what it gives to ssh at blanks, which the configuration's path may have.
    program = write_private(own / "ssh", _ssh_program(pair.ssh, watch=pair.watch))
    program.chmod(0o700)
    lines = [
        *(f"root = {one}" for one in roots),
        f"sshcmd = {program}",
        *("auto = true", "batch = true", "times = true", "contactquietly = true"),
        # What both ends had, and now is gone at one as a whole: a disk that is not mounted.
        "confirmbigdel = true",
        *("ignore = Name .git", *(f"ignore = {one}" for one in pair.ignored)),
        *(() if pair.delete else (f"{_KEPT} = {one}" for one in roots)),
    ]
    write_private(own / f"{_PROFILE}.prf", "\n".join(lines) + "\n")
    return own


def _ssh_program(folder: Path, *, watch: bool) -> str:
    config = shlex.quote(str(folder / openssh.CONFIG))
    ssh = f'{shlex.quote(openssh.program("ssh"))} -F {config} "$@"'
    if not watch:
        return f"#!/bin/sh\nexec {ssh}\n"
    # While it waits for changes, Unison 2.52 does not notice that the connection has ended.
    alive = '[ "$(ps -o ppid= -p $$ | tr -d " ")" = "$PPID" ]'
    return f'#!/bin/sh\n{ssh}\n{alive} && kill "$PPID"\n'
