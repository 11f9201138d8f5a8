"""`push` and `pull`: files go one way, what is newer at the other end stays."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper import git_ignored, openssh, rsync
from wrapper.deployment import far_end, ssh
from wrapper.deployment.far_end import Left
from wrapper.deployment.precautions import (
    WORK,
    far,
    folds,
    refuse_clashes,
    refuse_home,
    refuse_home_there,
)
from wrapper.errors import FailedError
from wrapper.rsync import Transfer

if TYPE_CHECKING:
    from wrapper.deployment.world import World
    from wrapper.rsync import Moved


@dataclass(frozen=True, kw_only=True)
class How:
    """What was asked for besides from where to where."""

    dry_run: bool = False
    delete: bool = False
    overwrite: bool = False
    gitignore: bool = True
    force: bool = False
    """Also a home directory, or all of a disk."""
    progress: bool = False
    listed: bool = False
    """What goes is returned, and not shown."""


def push(world: World, name: str, source: Path, target: str | None, how: How) -> Moved:
    """What is in the local source is on the machine. FailedError, NoAnswerError, DiskError.

    SettingsError: a home directory, and not forced.
    """
    rsync.program()
    source = source.resolve()
    folder = source.is_dir()
    if folder:
        refuse_home(source, force=how.force)
    there = far(target or (source.name if folder else "."))
    _refuse_deleting_a_home(there, how)
    ignored = git_ignored.names(source, world.environment) if folder and how.gitignore else []
    config = ssh.connect(world, name)
    if not how.dry_run:
        # What is newer in a tab is newer than the file that comes.
        far_end.save_open(world, config)
    slash = "/" if folder else ""
    transfer = Transfer(
        source=f"{source}{slash}".replace("//", "/"),
        target=f"{openssh.alias(name)}:{there}/",
        ssh_config=config / openssh.CONFIG,
        ignored=rsync.patterns(ignored or []),
        gitignore=how.gitignore and ignored is None,
        **_words(how),
    )
    return _carry(world, name, transfer)


def pull(world: World, name: str, source: str | None, target: Path | None, how: How) -> Moved:
    """What is in the machine's source is here. FailedError, NoAnswerError, DiskError.

    SettingsError: into a home directory, and not forced.
    """
    rsync.program()
    here = Path.cwd() if target is None else target
    there = far(source or Path.cwd().resolve().name)
    folder = ssh.connect(world, name)
    if not how.dry_run:
        far_end.save_open(world, folder)
    is_folder = _is_folder(world, folder, there)
    if target is None and source is not None and is_folder:
        here /= posixpath.basename(there)
    here = here.resolve()
    if is_folder:
        refuse_home(here, force=how.force)
        if folds(here):
            refuse_clashes(far_end.names(world, folder, there), here)
    git = git_ignored.Git(here, world.environment)
    ignored = _left_out(world, folder, there, git) if is_folder and how.gitignore else []
    slash = "/" if is_folder else ""
    into = "/" if is_folder or here.is_dir() else ""
    transfer = Transfer(
        source=f"{openssh.alias(name)}:{there}{slash}",
        target=f"{here}{into}",
        ssh_config=folder / openssh.CONFIG,
        ignored=rsync.patterns(ignored),
        gitignore=how.gitignore and git.program is None,
        **_words(how),
    )
    return _carry(world, name, transfer)


def _left_out(world: World, folder: Path, there: str, git: git_ignored.Git) -> list[bytes]:
    """What git would leave out at either end."""
    left = Left(rules=git.rules(), tracked=git.tracked())
    return [*git.names(), *far_end.ignored(world, folder, there, left)]


def _carry(world: World, name: str, transfer: Transfer) -> Moved:
    try:
        return rsync.run(transfer, world.environment)
    except rsync.NotThereError:
        far_end.have(world, transfer.ssh_config.parent, name, "rsync")
        return rsync.run(transfer, world.environment)


def _refuse_deleting_a_home(there: str, how: How) -> None:
    if how.delete:
        refuse_home_there(there, "--delete would empty", force=how.force)


def _is_folder(world: World, folder: Path, there: str) -> bool:
    """Whether it is one. FailedError when nothing of that name is there."""
    path = shlex.quote(there if there.startswith("/") else f"./{there}")
    asked = f"if test -d {path}; then echo folder; elif test -e {path}; then echo file; fi"
    done = far_end.ask(world, folder, asked)
    said = done.stdout.split()[-1:]
    if said not in (["folder"], ["file"]):
        raise FailedError(
            f"The machine has no {there}.", hint=f"python -m wrapper ssh -- ls {WORK}"
        )
    return said == ["folder"]


def _words(how: How) -> dict[str, bool]:
    return {
        "dry_run": how.dry_run,
        "delete": how.delete,
        "overwrite": how.overwrite,
        "progress": how.progress,
        "listed": how.listed,
    }
