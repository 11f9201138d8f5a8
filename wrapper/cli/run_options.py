"""What `run` and `up --run` are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def is_file(word: str) -> bool:
    """Whether it is something to run; names of deployments have no dot."""
    return word.endswith((".ipynb", ".py"))


def of_a_run(function: F) -> F:
    """The options that `run` and `up --run` share."""
    for one in reversed(
        (
            click.option(
                "-p",
                "--parameter",
                "parameters",
                multiple=True,
                metavar="NAME=VALUE",
                help="Of a notebook: set in a cell behind the one that is tagged parameters.",
            ),
            click.option(
                "-o",
                "--output",
                "outputs",
                multiple=True,
                metavar="PATH",
                help="A file, folder or pattern that it makes, to be fetched.",
            ),
            click.option("--kernel", metavar="NAME", help="Of a notebook.  [default: its own]"),
            click.option(
                "--with",
                "beside",
                type=click.Path(exists=True, file_okay=False),
                metavar="DIR",
                help="Send this folder along, by rsync; needs --ssh.",
            ),
        )
    ):
        function = one(function)
    return function


def of_up(function: F) -> F:
    """`up --run FILE`, with what goes with it."""
    ran = click.option(
        "--run",
        "ran",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Then run this notebook or script there, and fetch what it made.",
    )
    return ran(of_a_run(afterwards(function)))


def afterwards(function: F) -> F:
    """What is to become of the machine."""
    stop = click.option(
        "--stop", "after", flag_value="stop", help="Stop the machine afterwards, attached or not."
    )
    down = click.option(
        "--down",
        "after",
        flag_value="down",
        help="As --stop; then, by this computer, `down` with a last snapshot.",
    )
    return stop(down(function))
