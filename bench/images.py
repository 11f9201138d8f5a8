"""A machine that begins with an image of another one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.embedded import Account


def rows(
    account: Account, up: Sequence[str], environment: Mapping[str, str], fresh: Fresh
) -> list[Row]:
    """The image of `up`'s deployment is used, and gone.

    Against a fresh machine whose packages are kept on this computer, and against one whose packages
    come over the network, as they do on AWS: there from conda-forge, here from the package index.
    """
    name = up[1]
    try:
        baked = made(account, up, environment)
        what, ran = "up with a baked image", "up to a cell that ran"
        both = "until both environments are there"
        found = [
            Row(f"{what}, to a cell that ran", baked.verified, ran, fresh.kept.verified),
            Row(f"{what}, {both}", baked.installed, f"up, {both}", fresh.kept.installed),
        ]
        if fresh.fetched:
            fetched = "packages from the network"
            found += [
                Row(
                    f"{what}, to a cell that ran",
                    baked.verified,
                    f"{ran}, {fetched}",
                    fresh.fetched.verified,
                    aim=1 / 3,
                ),
                Row(
                    f"{what}, {both}",
                    baked.installed,
                    f"up, {both}, {fetched}",
                    fresh.fetched.installed,
                    aim=1 / 3,
                ),
            ]
        return found
    finally:
        measure.wrapper("down", name, "--yes", "--data", "delete", environment=environment)
        prune = ("images", "--local", "prune", name, "--keep", "0", "--yes")
        measure.wrapper(*prune, environment=environment)


@dataclass(frozen=True)
class Up:
    """Seconds of one `up`."""

    verified: float
    """To a cell that ran."""
    installed: float
    """Until nothing is installed any more on the machine."""
    whole: float
    """Until the command ended: Terraform goes on for a while after the notebook answers."""
    document: dict[str, Any]


@dataclass(frozen=True)
class Fresh:
    """A machine that begins with nothing: its packages kept here, or fetched."""

    kept: Up
    fetched: Up | None
    """None where it was not measured."""


def made(account: Account, up: Sequence[str], environment: Mapping[str, str]) -> Up:
    """The `up`, with the machine watched from its launch on."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        before = account.machines(up[1])
        begun = time.perf_counter()

        def installed() -> float:
            account.wait_until_installed(account.next_machine(up[1], before))
            return time.perf_counter() - begun

        watching = pool.submit(installed)
        document = measure.wrapper(*up, environment=environment)
        whole = time.perf_counter() - begun
        told = document["seconds"]
        verified = whole - (told["total"] - told["answering"])
        return Up(verified, max(verified, watching.result()), whole, document)
