"""What is refused, or told, before files go: homes, roots of disks, links out, names that clash."""

from __future__ import annotations

import os
import posixpath
import pwd
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.deployment import ssh
from wrapper.errors import FailedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

WORK = "work"
"""The work folder, as seen from where ssh arrives."""
_HOMES = (".", "/", "/home", "/root", f"/home/{ssh.USER}")
_PEOPLE = range(500, 65534)
"""Ids of users who are people: from 500 on macOS, from 1000 on Linux."""
_NAMED = 10


def far(path: str) -> str:
    """A path on the machine as rsync takes it there: below the work folder, unless it says not."""
    if path == "~" or path.startswith("~/"):
        return posixpath.normpath(path.removeprefix("~").lstrip("/") or ".")
    found = posixpath.normpath(posixpath.join(WORK, path))
    return f"/{found.lstrip('/')}" if found.startswith("/") else found  # POSIX keeps two slashes


def refuse_home(path: Path, *, force: bool) -> None:
    """It is no home directory, nor what such are in, nor all of a disk. SettingsError."""
    if force:
        return
    if path.is_mount():
        what = "the root of a file system"
    elif any(home.is_relative_to(path) for home in _homes()):
        what = "a home directory, or holds one"
    else:
        return
    raise SettingsError(
        f"{path} is {what}: with everything in it, keys and passwords too?",
        hint="Name a folder in it; or, meaning it: --force",
    )


def _homes() -> Iterator[Path]:
    yield Path.home().resolve()
    for one in pwd.getpwall():
        if one.pw_uid == 0 or one.pw_uid in _PEOPLE:
            yield Path(one.pw_dir).resolve()


def refuse_home_there(there: str, does: str, *, force: bool) -> None:
    """It is not the machine's home directory, nor what that is in. SettingsError."""
    if not force and (there in _HOMES or there == ".." or there.startswith("../")):
        raise SettingsError(
            f"{does} {there} on the machine, its environments and keys too.",
            hint="Name a folder in it; or, meaning it: --force",
        )


def refuse_clashes(names: Iterable[bytes], here: Path) -> None:
    """No two of them are one file in a folder that folds case. FailedError."""
    same: dict[str, set[bytes]] = defaultdict(set)
    for name in names:
        # A folder's name clashes as well as a file's.
        parts = name.split(b"/")
        for end in range(1, len(parts) + 1):
            one = b"/".join(parts[:end])
            same[one.decode("utf-8", "surrogateescape").casefold()].add(one)
    clashes = [sorted(some) for some in same.values() if len(some) > 1]
    if clashes:
        listed = "; ".join(
            " and ".join(one.decode(errors="replace") for one in some) for some in clashes[:_NAMED]
        )
        raise FailedError(
            f"{here} takes names that differ by case for one: {listed}",
            hint="Rename all but one, there: python -m wrapper ssh. Or pull into another disk",
        )


def folds(folder: Path) -> bool:
    """Whether A and a are one file there, or where it will be."""
    while not folder.is_dir():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clouds-Case-") as probe:
            path = Path(probe.name)
            return path.with_name(path.name.swapcase()).exists()
    except OSError:
        return False  # what cannot be written is told by who writes


def links_out(folder: Path, left_out: Container[str]) -> Iterator[str]:
    """Links below it that lead out of it, as in `name -> target`."""
    for root, folders, files in os.walk(folder):
        below = Path(root).relative_to(folder)
        folders[:] = [one for one in folders if one != ".git" and str(below / one) not in left_out]
        for name in (*folders, *files):
            path, named = Path(root, name), str(below / name)
            if named not in left_out and path.is_symlink():
                leads = path.readlink()
                end = Path(os.path.normpath(path.parent / leads))
                if leads.is_absolute() or not end.is_relative_to(folder):
                    yield f"{named} -> {leads}"
