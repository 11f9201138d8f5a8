"""What `up` itself brings into the work folder: `--repo`, `--sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from wrapper.cli import files
from wrapper.cli.options import option
from wrapper.errors import CloudsError, FailedError, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment import World

F = TypeVar("F", bound="Callable[..., Any]")


def options(function: F) -> F:
    """Of `up`."""
    for one in reversed(
        (
            option(
                "--repo",
                "--repository",
                "repository",
                metavar="URL[@BRANCH]",
                help="A git repository to clone into the work folder; git@HOST:PATH with --ssh.",
            ),
            click.option(
                "--sync",
                "synced",
                type=click.Path(exists=True, file_okay=False),
                metavar="DIR",
                help="Bring DIR and the work folder's together, both ways; with --ssh.",
            ),
        )
    ):
        function = one(function)
    return function


def is_ours(given: dict[str, Any]) -> bool:
    """Whether `up` itself has to clone it: user data takes public ones, by HTTPS."""
    from wrapper import git_access  # noqa: PLC0415 (after --help)

    return given["repository"] is not None and git_access.is_by_ssh(given["repository"])


def refuse(world: World, given: dict[str, Any]) -> None:
    """Where it could not be done, nothing is made either. FailedError, SettingsError."""
    if given["synced"]:
        files.refuse_to_sync(given["synced"])
    if is_ours(given):
        from wrapper.deployment import cloning  # noqa: PLC0415 (after --help)

        cloning.refuse(world, given["repository"])


def bring(world: World, name: str, given: dict[str, Any]) -> None:
    """It is on the machine. FailedError: it is not, or not all of it; the notebook answers."""
    try:
        _bring(world, name, given)
    except Interrupted:
        raise
    except CloudsError as error:
        # Neither was nothing made, nor does the notebook not answer: codes 2 and 3 say that.
        raise FailedError(
            f"{name} runs, and not everything is on it. {error.message}", hint=error.hint
        ) from error


def _bring(world: World, name: str, given: dict[str, Any]) -> None:
    if is_ours(given):
        from wrapper import deployment  # noqa: PLC0415 (after --help)

        deployment.clone(world, name, given["repository"], deployment.CloneWish(again=True))
    if given["synced"]:
        files.sync_once(world, name, given["synced"])
