"""What `up` is told of the notebook's name and certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from wrapper.cli.options import option

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def options(function: F) -> F:
    """Of `up`."""
    for one in reversed(
        (
            option(
                "--domain", metavar="DOMAIN", help="Name that the notebook is to be reached by."
            ),
            option("--zone-id", metavar="ZONE", help="Route 53's zone of it: the record is made."),
            option(
                "--certificate",
                type=click.Path(dir_okay=False),
                help="Certificate of your own (PEM).",
            ),
            option("--private-key", type=click.Path(dir_okay=False), help="Its key (PEM)."),
            option(
                "--tls",
                type=click.Choice(["self-signed", "letsencrypt"]),
                help="letsencrypt: a certificate that browsers trust; opens 80 to the world unless "
                "there is --zone-id, and agrees to its terms.  [default: self-signed]",
            ),
            option(
                "--acme-directory",
                metavar="URL",
                help="Another authority than Let's Encrypt, with --tls letsencrypt.",
            ),
            option(
                "--acme-ca",
                type=click.Path(dir_okay=False),
                help="What that authority's own certificate is verified by (PEM).",
            ),
        )
    ):
        function = one(function)
    return function
