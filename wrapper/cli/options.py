"""Options that several commands share, and how each is found in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from wrapper.settings import DEFAULT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
PREFIX = "JUPYTER_CLOUDS_"


def option(*declarations: str, **attributes: Any) -> Callable[[F], F]:
    """A setting: also JUPYTER_CLOUDS_<NAME> in the environment, and a key of the project file."""
    found = click.Option([*declarations], **attributes)
    return click.option(
        *declarations,
        envvar=f"{PREFIX}{(found.name or '').upper()}",
        **{"default": None, **attributes},
    )


def name_argument(function: F) -> F:
    """[NAME], "notebook" when not said."""
    return click.argument(
        "name",
        default=DEFAULT_NAME,
        envvar=f"{PREFIX}NAME",
        callback=_remember_name,
    )(function)


def _remember_name(ctx: click.Context, _: click.Parameter, value: str) -> str:
    if isinstance(ctx.obj, dict):
        ctx.obj["name"] = value
    return value


as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output."
)
yes = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
local = option(
    "--local", is_flag=True, help="The EC2 embedded in this computer: no account, no cost."
)
region = option("--region", metavar="REGION", help="AWS region; default: the AWS SDK's.")
password_file = option(
    "--password-file",
    type=click.Path(dir_okay=False),
    help="The password is the first line of this file.",
)
generate_password = option(
    "--generate-password", is_flag=True, help="Let a strong password be made, unasked."
)
snapshots_kept = option(
    "--keep",
    "snapshots_kept",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many final snapshots stay; older ones go.  [default: 5]",
)
manual_kept = option(
    "--keep-manual",
    "manual_kept",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many of those stay that `snapshot` made, or that came from another region."
    "  [default: 20]",
)
