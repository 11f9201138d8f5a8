"""What EC2 tells of types and prices, asked once and kept for a while."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from wrapper import aws_files
from wrapper.aws import Kind, SpotPrice
from wrapper.cache import Cache, directory
from wrapper.deployment import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wrapper.aws import Aws, Needs
    from wrapper.deployment.world import World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
_WORDS = {
    "spot": "spot prices",
    "on-demand": "on-demand prices",
    "history": "30 days",
    "scores": "chances",
    "quota": "quotas",
    "fitting": "types",
    "every": "types",
    "kinds": "types",
}
"""How the kinds of answers are called, by the first word of their question."""


class MarketData:
    """One account, in all its regions; safe to ask from many threads."""

    def __init__(
        self, world: World, *, local: bool = False, region: str | None = None, refresh: bool = False
    ) -> None:
        """Nothing is asked yet; LocalError when the embedded EC2 is meant and does not run."""
        self._world, self._local, self._chosen = world, local, region
        self.cache = Cache(directory(world.environment), refresh=refresh)
        self._lock = Lock()
        self._ways: dict[str, Aws] = {}
        self.ages: dict[str, float] = {}
        """By kind, seconds since the oldest of the answers that were kept from before."""
        running = place.running_embedded(world) if local else {}
        self._who = aws_files.whose({**world.environment, **running})

    @cached_property
    def aws(self) -> Aws:
        """The account in the region that was asked for, or its default one."""
        return place.search(self._world, local=self._local, region=self._chosen).aws

    def region(self) -> str:
        """The one that was asked for, else the default one."""
        with self._lock:
            return self._chosen or self.aws.region

    def regions(self) -> list[str]:
        """Those that the account can use, sorted."""
        found: list[str] = self._kept("regions", DAY, lambda: self._in(self.region()).regions())
        return found

    def fitting(self, region: str, needs: Needs) -> list[str]:
        """Names of the types that have as much."""
        wanted = dataclasses.asdict(needs)
        found: list[str] = self._kept(
            f"fitting {region} {wanted}", DAY, lambda: self._in(region).fitting(needs)
        )
        return found

    def every(self, region: str) -> list[Kind]:
        """All types of the region."""
        found = self._kept(
            f"every {region}",
            DAY,
            lambda: [dataclasses.asdict(one) for one in self._in(region).every_kind()],
        )
        return [Kind(**one) for one in found]

    def kinds(self, region: str, names: Sequence[str]) -> list[Kind]:
        """What these types have."""
        found = self._kept(
            f"kinds {region} {sorted(names)}",
            DAY,
            lambda: [dataclasses.asdict(one) for one in self._in(region).kinds(names)],
        )
        return [Kind(**one) for one in found]

    def spot_prices(self, region: str, names: Sequence[str]) -> list[SpotPrice]:
        """What holds now, by type and zone."""
        found = self._kept(
            f"spot {region} {sorted(names)}",
            5 * MINUTE,
            lambda: [_packed(one) for one in self._in(region).spot_prices(names)],
        )
        return [_unpacked(one) for one in found]

    def spot_history(
        self, region: str, names: Sequence[str], days: int, *, zone: str | None = None
    ) -> list[SpotPrice]:
        """Every change, oldest first, begun with the price at the beginning."""
        found = self._kept(
            f"history {region} {zone} {sorted(names)} {days}",
            HOUR,
            lambda: [_packed(one) for one in self._in(region).spot_history(names, days, zone)],
        )
        return [_unpacked(one) for one in found]

    def on_demand(
        self, names: Iterable[str], regions: Sequence[str]
    ) -> dict[tuple[str, str], Decimal]:
        """US dollars an hour by type and region."""
        wanted = sorted({*names})

        def ask() -> list[list[str]]:
            found = self._in(self.region()).on_demand_prices(wanted, regions)
            return [[name, region, str(price)] for (name, region), price in found.items()]

        kept = self._kept(f"on-demand {wanted} {sorted(regions)}", DAY, ask)
        return {(name, region): Decimal(price) for name, region, price in kept}

    def scores(self, names: Sequence[str], regions: Sequence[str]) -> dict[tuple[str, str], int]:
        """1 to 10 by region and zone's id."""

        def ask() -> list[list[Any]]:
            found = self._in(self.region()).placement_scores(names, regions)
            return [[region, zone, score] for (region, zone), score in found.items()]

        kept = self._kept(f"scores {sorted(names)} {sorted(regions)}", HOUR, ask)
        return {(region, zone): score for region, zone, score in kept}

    def zone_ids(self, region: str) -> dict[str, str]:
        """By name."""
        found: dict[str, str] = self._kept(
            f"zones {region}", DAY, lambda: self._in(region).zone_ids()
        )
        return found

    def quota(self, region: str, code: str) -> int:
        """vCPUs that may run at a time."""
        found: int = self._kept(
            f"quota {region} {code}", 10 * MINUTE, lambda: self._in(region).vcpu_quota(code)
        )
        return found

    def _in(self, region: str) -> Aws:
        with self._lock:
            if region not in self._ways:
                self._ways[region] = self.aws.elsewhere(region)
            return self._ways[region]

    def _kept(self, question: str, within: float, ask: Callable[[], Any]) -> Any:
        asked = f"{self._who} {question}"
        answer, age = self.cache.aged(asked, within)
        if answer is None:
            answer = ask()
            self.cache.put(asked, answer)
        elif kind := _WORDS.get(question.partition(" ")[0]):
            with self._lock:
                self.ages[kind] = max(age, self.ages.get(kind, 0.0))
        return answer


def _packed(one: SpotPrice) -> list[Any]:
    return [one.instance_type, one.zone, str(one.dollars), one.since.isoformat()]


def _unpacked(kept: list[Any]) -> SpotPrice:
    name, zone, dollars, since = kept
    return SpotPrice(name, zone, Decimal(dollars), datetime.fromisoformat(since))
