"""rsync over ssh, one way: what is newer on the other side stays, and nothing is deleted unasked.

https://download.samba.org/pub/rsync/rsync.1
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper import openssh
from wrapper.errors import DiskError, FailedError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGE = "apt-get install rsync, dnf install rsync, or brew install rsync"
_LEAST = (3, 2, 3)
"""The first with --mkpath. macOS has another program of that name."""
_WILD = re.compile(r"[*?\[]")
_WENT = {"send": "changed", "recv": "changed", "del.": "deleted"}
_NEWER = " is newer"
_VANISHED, _PARTIAL, _BROKEN_PIPE, _REFUSED = 24, 23, 12, 127


class NotThereError(FailedError):
    """The other end has no rsync."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What goes where, and how."""

    source: str
    """A local path, absolute; or ALIAS:PATH."""
    target: str
    ssh_config: Path
    ignored: bytes = b""
    """Patterns that are left out, each ended by a zero byte."""
    gitignore: bool = True
    """Leave out what the .gitignore files of the source say, as far as rsync understands them."""
    dry_run: bool = False
    delete: bool = False
    overwrite: bool = False
    """Also what is newer on the other side."""
    progress: bool = False
    listed: bool = False
    """What goes is returned, and not shown."""


@dataclass(frozen=True)
class Moved:
    """What went, as far as it is listed; names below the source."""

    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    """At the other end, where they stay."""
    left_out: tuple[str, ...] = ()
    """Links out of the tree and what is no file, in rsync's words."""


def program() -> str:
    """rsync on this computer. FailedError when it is missing or too old."""
    found = openssh.program("rsync", package=PACKAGE)
    told = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout
    version = re.search(r"^rsync +version v?(\d+)\.(\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < _LEAST:
        needed = ".".join(map(str, _LEAST))
        raise FailedError(
            f"{found} is {told.splitlines()[0] if told else 'no rsync'}; {needed} is needed.",
            hint=PACKAGE,
        )
    return found


def command(transfer: Transfer, ignored: Path) -> list[str]:
    """The program and its arguments; `ignored` is a file with the patterns that are left out."""
    # Inside -e's value rsync splits at blanks and knows quotes, doubled within quotes.
    config = "'" + str(transfer.ssh_config).replace("'", "''") + "'"
    words = [
        *(program(), "--recursive", "--links", "--perms", "--times", "--compress"),
        # Names go to the other side as they are, whatever characters they have.
        *("--protect-args", "--mkpath", "--partial-dir=.rsync-partial"),
        *("-e", f"{openssh.program('ssh')} -F {config}"),
        # A link that leads out of the tree would show, or overwrite, something else.
        *("--safe-links", "--exclude=.git/", "--from0", f"--exclude-from={ignored}"),
    ]
    if transfer.gitignore:
        words.append("--filter=:- .gitignore")
    if not transfer.overwrite:
        words.append("--update")
    if transfer.delete:
        words.append("--delete")
    if transfer.dry_run:
        words.append("--dry-run")
    if transfer.listed:
        words.append("--out-format=%o %n")
    elif transfer.dry_run:
        words.append("--itemize-changes")
    names = "name0,progress2" if transfer.progress else "name1"
    told = f"skip1,symsafe1,nonreg1,del1,{names}"
    return [*words, f"--info={told}", "--", transfer.source, transfer.target]


def run(transfer: Transfer, given: Mapping[str, str]) -> Moved:
    """It was done, rsync's own words on this terminal, or listed.

    FailedError, NoAnswerError, DiskError.
    """
    with tempfile.TemporaryDirectory() as folder:
        ignored = Path(folder) / "ignored"
        ignored.write_bytes(transfer.ignored)
        done = subprocess.run(
            command(transfer, ignored),
            check=False,
            stdout=subprocess.PIPE if transfer.listed else None,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=openssh.environment(given, transfer.ssh_config),
        )
    _judge(done.returncode, done.stderr.strip())
    return _read(done.stdout or "")


def _read(said: str) -> Moved:
    """Of rsync's words, one to a line; it writes control characters of names as \\#ooo."""
    found: dict[str, list[str]] = {"changed": [], "deleted": [], "newer": [], "left_out": []}
    for line in said.splitlines():
        kind, _, name = line.partition(" ")
        if kind in _WENT:
            # Folders come and go with what is in them.
            if not name.endswith("/"):
                found[_WENT[kind]].append(name)
        elif line.endswith(_NEWER):
            found["newer"].append(line.removesuffix(_NEWER).strip('"'))
        elif line:
            found["left_out"].append(line)
    return Moved(**{kind: tuple(names) for kind, names in found.items()})


def _judge(code: int, said: str) -> None:
    """Nothing, where it went well enough: files that vanish meanwhile are nobody's loss."""
    if code in (0, _VANISHED):
        return
    words = "\n".join(said.splitlines()[-5:])
    if "No space left on device" in said:
        raise DiskError(
            f"A disk is full: {words}", hint="Here: df -h . There: python -m wrapper status"
        )
    if "command not found" in said or code == _REFUSED:
        raise NotThereError(f"The machine has no rsync: {words}", hint="python -m wrapper ssh")
    if code in (_BROKEN_PIPE, openssh.UNREACHED):
        raise NoAnswerError(f"The connection ended: {words}", hint="python -m wrapper ssh")
    if code == _PARTIAL:
        raise FailedError(f"Not everything went over: {words}", hint="Again, once that is mended.")
    raise FailedError(f"rsync ended with {code}: {words}", hint="rsync --help")


def patterns(names: Sequence[bytes]) -> bytes:
    """Names below the source, a folder's ended by a slash, as patterns for just those."""
    return b"".join(b"/" + _escaped(name) + b"\0" for name in names)


def _escaped(name: bytes) -> bytes:
    """A backslash is only special where there is a wildcard: rsync(1), PATTERN MATCHING RULES."""
    text = name.decode("utf-8", "surrogateescape")
    if _WILD.search(text):
        text = re.sub(r"([\\*?\[])", r"\\\1", text)
    return text.encode("utf-8", "surrogateescape")
