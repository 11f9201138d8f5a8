"""Options that say what a machine has to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from wrapper.cli.options import option

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.aws import Needs

F = TypeVar("F", bound="Callable[..., Any]")
_OPTIONS = (
    option(
        "--memory",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GIB",
        help="At least so much memory.",
    ),
    option("--cpus", type=click.IntRange(min=1), metavar="N", help="At least so many vCPUs."),
    option("--gpus", type=click.IntRange(min=1), metavar="N", help="At least so many NVIDIA GPUs."),
    option(
        "--gpu-memory",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GIB",
        help="At least so much memory in each GPU; one GPU unless --gpus says more.",
    ),
    option(
        "--arch",
        type=click.Choice(("x86_64", "arm64")),
        help="Only this architecture.  [default: both]",
    ),
    option(
        "--max-price",
        type=click.FloatRange(min=0, min_open=True),
        metavar="USD",
        help="No more than so many dollars an hour.",
    ),
)


def options(function: F) -> F:
    """The options, in that order."""
    for one in reversed(_OPTIONS):
        function = one(function)
    return function


def typed(*names: str) -> str | None:
    """The first of these options that stands on the command line, as it is typed there.

    The environment's and the project file's are no contradiction: they are for all commands.
    """
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            return f"--{name}"
    return None


def refuse_both_regions() -> None:
    """UsageError: one region, and several."""
    if typed("region") and typed("regions"):
        raise click.UsageError("--region and --regions are two answers: say one of them.")


def refuse_unneeded(needs: Needs | None) -> None:
    """UsageError: a wish for the choice of a type, where none is chosen."""
    refuse_both_regions()
    if needs is None and (said := typed("arch", "regions")):
        raise click.UsageError(
            f"{said} is for choosing a type by what it has: add --memory GIB or --cpus N."
        )


def needs_of(given: dict[str, Any]) -> Needs | None:
    """What the options ask for; None when they ask for nothing."""
    from wrapper.aws import Needs  # noqa: PLC0415 (after --help)

    asked = [given.get(one) for one in ("memory", "cpus", "gpus", "gpu_memory")]
    if not any(asked):
        return None
    both: tuple[Any, ...] = ("x86_64", "arm64")
    return Needs(
        memory_gib=given.get("memory") or 0,
        cpus=given.get("cpus") or 0,
        gpus=given.get("gpus") or (1 if given.get("gpu_memory") else 0),
        gpu_memory_gib=given.get("gpu_memory") or 0,
        architectures=(given["arch"],) if given.get("arch") else both,
    )
