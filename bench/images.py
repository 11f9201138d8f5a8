"""A machine that begins with an image of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import measure
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.embedded import Account


def rows(
    account: Account, up: Sequence[str], environment: Mapping[str, str], fresh: float, whole: float
) -> list[Row]:
    """The image of `up`'s deployment is used, and gone; `fresh` and `whole` are without it.

    Seconds to a cell that ran, and until both environments are there.
    """
    name = up[1]
    made = []
    try:
        seconds = measure.seconds(
            lambda: made.append(measure.wrapper(*up, environment=environment))
        )
        told = made[0]["seconds"]
        verified = seconds - (told["total"] - told["answering"])
        installed = measure.seconds(lambda: account.wait_until_installed(made[0]["instance_id"]))
        what = "up with a baked image"
        return [
            Row(f"{what}, to a cell that ran", verified, "up to a cell that ran", fresh, aim=1 / 3),
            Row(
                f"{what}, until both environments are there",
                max(verified, seconds + installed),
                "up, until both environments are there",
                whole,
            ),
        ]
    finally:
        measure.wrapper("down", name, "--yes", "--data", "delete", environment=environment)
        prune = ("images", "--local", "prune", name, "--keep", "0", "--yes")
        measure.wrapper(*prune, environment=environment)
