"""What `down` and `stop` came to, in words and as documents; `run` may end with either."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wrapper.cli.failure import fitting, program

if TYPE_CHECKING:
    from wrapper.deployment.kept import Kept
    from wrapper.deployment.pausing import Stopped
    from wrapper.deployment.take_down import Down


def document(done: Down) -> dict[str, Any]:
    """For programs."""
    return {**asdict(done), "kept": [asdict(one) for one in done.kept]}


def in_words(done: Down) -> str:
    """What is left; what is kept costs from now on, and how to get it back."""
    return "\n".join([f"{len(done.left)} left", *_kept(done)])


def _kept(done: Down) -> list[str]:
    if not done.kept:
        return []
    from wrapper.deployment import kept  # noqa: PLC0415 (after --help)

    def sum_of(some: list[Kept]) -> str:
        return kept.about(sum(one.monthly_price for one in some))

    data = [one for one in done.kept if one.kind != "image"]
    images = [one for one in done.kept if one.kind == "image"]
    lines = [f"kept: {one.words}, {program()} up {done.name} restores it" for one in data[:1]]
    if more := data[1:]:
        lines.append(
            f"kept before: {len(more)} more, {sum_of(more)}, {program()} snapshots {done.name}"
        )
    if images:
        lines.append(
            f"images: {len(images)}, {sum_of(images)} at most, {program()} images prune {done.name}"
        )
    return lines


def stopped_in_words(found: Stopped) -> str:
    """What it costs from now on, and the ways on."""
    from wrapper import next_steps  # noqa: PLC0415 (after --help)
    from wrapper.deployment import monthly  # noqa: PLC0415 (after --help)

    first = f"{found.name} is {found.state}." if found.changed else "Nothing to do: it is stopped."
    lines = [first]
    if costs := monthly.in_words(found.monthly, found.region):
        lines.append(f"It still costs {costs}.")
    lines += [
        f"  again   {next_steps.of(found.name, found.state)}",
        "  end it  python -m wrapper down",
    ]
    return fitting("\n".join(lines), found.name)


def after_a_run(done: Down | Stopped) -> tuple[str, dict[str, Any]]:
    """In words, and what a run's document has of it."""
    from wrapper.deployment.take_down import Down  # noqa: PLC0415 (after --help)

    if isinstance(done, Down):
        return in_words(done), {"down": document(done)}
    return stopped_in_words(done), {"stopped": done.document()}
