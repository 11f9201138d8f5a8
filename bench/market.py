"""`offers` over seventeen regions of the embedded EC2, against the same calls one by one."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from bench.measure import PYTHON, median
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NEEDS = ("--memory", "244", "--cpus", "32")
# Those that the tutorial's time knew, and are still on by default.
REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1"),
    *("ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2"),
    *("eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)
SIDE_BY_SIDE = 20
FEW, SOME = 4, 8


def rows(folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """Cold, warm, by region, and in memory."""
    known = {**environment, "AWS_REGION": "us-east-1"}

    def cold(name: str, regions: tuple[str, ...], side_by_side: int) -> dict[str, Any]:
        cache = {**known, "XDG_CACHE_HOME": str(folder / f"cache-{name}")}
        return _took(cache, regions, side_by_side)

    # The embedded EC2 reads its tables when they are first asked for.
    cold("unmeasured", REGIONS, SIDE_BY_SIDE)
    one = cold("one", REGIONS[-4:-3], SIDE_BY_SIDE)
    few, some = (
        min(cold(f"{count}-{turn}", REGIONS[:count], SIDE_BY_SIDE)["seconds"] for turn in range(3))
        for count in (FEW, SOME)
    )
    together = min(
        (cold(f"together-{turn}", REGIONS, SIDE_BY_SIDE) for turn in range(3)),
        key=lambda took: float(took["seconds"]),
    )
    in_turn = cold("in-turn", REGIONS, 1)
    words = [PYTHON, "-m", "wrapper", "offers", *NEEDS, "--local", "--regions", ",".join(REGIONS)]
    warm = median(words, {**known, "XDG_CACHE_HOME": str(folder / "cache-together-0")})
    every = len(REGIONS)
    what = f"offers in {every} regions, {together['calls']} calls"
    return [
        Row(what, together["seconds"], "the same calls in turn", in_turn["seconds"]),
        # Linear: a further region takes no longer than each of those before it took.
        _further((FEW, few), (SOME, some)),
        _further((SOME, some), (every, together["seconds"])),
        Row("offers again, all of it kept", warm, what, together["seconds"]),
        Row("memory of offers", together["mib"], "of one region", one["mib"], unit="MiB"),
    ]


def _further(fewer: tuple[int, float], more: tuple[int, float]) -> Row:
    (few, before), (many, after) = fewer, more
    return Row(
        f"offers, each region from {few} to {many}",
        (after - before) / (many - few) * 1000,
        f"each of the first {few}",
        before / few * 1000,
        unit="ms",
        aim=1.0,
    )


def _took(
    environment: Mapping[str, str], regions: tuple[str, ...], side_by_side: int
) -> dict[str, Any]:
    words = ("offers", *NEEDS, "--local", "--regions", ",".join(regions), "--json")
    done = subprocess.run(
        [PYTHON, "-m", "bench.asked", str(side_by_side), *words],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return found
