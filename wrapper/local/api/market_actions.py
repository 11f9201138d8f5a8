"""The actions of EC2 on regions, spot prices and placement scores."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from wrapper.local.api import rows
from wrapper.local.api.fitting import types_that_fit
from wrapper.local.api.prices import PAGE, PRODUCT, PriceQuery
from wrapper.local.api.storage import StorageActions

if TYPE_CHECKING:
    from datetime import datetime

_WRITTEN: Final[dict[str, str]] = {}
"""Answers of DescribeInstanceTypes, by what was asked."""
_MOST_WRITTEN: Final = 50
_PATTERN: Final = re.compile(r"[*?[]")
_REQUEST_ID: Final = re.compile("<requestId>[^<]*</requestId>")


class MarketActions(StorageActions):
    """What they answer; nothing changes by them."""

    def describe_regions(self) -> ActionResult:
        """Those that the account can use, unless all are asked for."""
        wanted = self._get_param("RegionNames", [])
        usable = set(RegionsAndZonesBackend.regions_opt_in_not_required)
        found = [
            one
            for one in self.ec2_backend.describe_regions(wanted)
            if one.name in usable or self._get_param("AllRegions")
        ]
        return ActionResult({"Regions": found})

    def describe_instance_types(self) -> str:  # type: ignore[override] # serialized here
        """Never changes, and is long: written once."""
        filters: dict[str, Any] = self._filters_from_querystring()
        names: list[str] = self._get_param("InstanceTypes", [])
        asked = json.dumps([names, filters], sort_keys=True)
        if asked not in _WRITTEN:
            found = ActionResult({"InstanceTypes": self._types(names, filters)})
            if len(_WRITTEN) == _MOST_WRITTEN:
                _WRITTEN.clear()
            _WRITTEN[asked] = str(self.serialized(found)[2])
        return _REQUEST_ID.sub(f"<requestId>{uuid4()}</requestId>", _WRITTEN[asked], count=1)

    def _types(self, names: list[str], filters: dict[str, Any]) -> Any:
        wanted = {*filters.get("instance-type", ())}
        if names or not wanted or any(_PATTERN.search(one) for one in wanted):
            return self.ec2_backend.describe_instance_types(names, filters)
        # Moto tries each name as a pattern on each of 1,400 types: 50 ms for a hundred names.
        others = {key: value for key, value in filters.items() if key != "instance-type"}
        known = sorted(wanted & INSTANCE_TYPES.keys())
        return self.ec2_backend.describe_instance_types(known, others) if known else []

    def describe_spot_price_history(self) -> str:  # type: ignore[override] # serialized here
        filters: dict[str, Any] = self._filters_from_querystring()
        products = self._get_param("ProductDescriptions", []) or filters.get("product-description")
        if products and not any(product.startswith(PRODUCT) for product in products):
            return rows.answer("DescribeSpotPriceHistory", "SpotPriceHistory", [], "")
        zone = self._get_param("AvailabilityZone")
        first = int(self._get_param("NextToken") or 0)
        count = int(self._get_param("MaxResults") or PAGE)
        query = PriceQuery(
            region=self.region,
            instance_types=self._get_param("InstanceTypes", []) or filters.get("instance-type", []),
            zones=[zone] if zone else filters.get("availability-zone", []),
            start=_utc(self._get_param("StartTime")),
            end=_utc(self._get_param("EndTime")),
        )
        page = self.ec2_backend.room.prices.history(query, first=first, count=count + 1)
        more = str(first + count) if len(page) > count else ""
        return rows.answer("DescribeSpotPriceHistory", "SpotPriceHistory", page[:count], more)

    def get_instance_types_from_instance_requirements(self) -> ActionResult:
        names = types_that_fit(
            self.region,
            self._get_param("ArchitectureTypes", []),
            self._get_param("InstanceRequirements", {}),
        )
        first, count = (
            int(self._get_param("NextToken") or 0),
            int(self._get_param("MaxResults") or PAGE),
        )
        page = [{"InstanceType": one} for one in names[first : first + count]]
        more = str(first + count) if len(names) > first + count else ""
        return ActionResult({"InstanceTypes": page, "NextToken": more})

    def get_spot_placement_scores(self) -> ActionResult:
        types = self._get_param("InstanceTypes", [])
        target = int(self._get_param("TargetCapacity"))
        regions = self._get_param("RegionNames", []) or [self.region]
        by_zone = bool(self._get_param("SingleAvailabilityZone"))
        placement = self.ec2_backend.room.placement
        placement.admit(tuple(sorted(types)), target, tuple(sorted(regions)), by_zone)
        scores: list[dict[str, Any]] = []
        for region in regions:
            zones = placement.zones(region, types, target)
            if not by_zone:
                best = max((score for _, score in zones), default=1)
                scores.append({"Region": region, "Score": best})
                continue
            ids = {one.name: one.zone_id for one in RegionsAndZonesBackend.zones[region]}
            scores += [
                {"Region": region, "AvailabilityZoneId": ids[zone], "Score": score}
                for zone, score in zones
                if zone in ids
            ]
        # The ten best at most, as EC2 does.
        return ActionResult({"SpotPlacementScores": sorted(scores, key=_by_score)[:10]})


def _by_score(one: dict[str, Any]) -> int:
    return -int(one["Score"])


def _utc(given: datetime | None) -> datetime | None:
    """Moto parses "...Z" into a naive time."""
    return given.replace(tzinfo=UTC) if given is not None and given.tzinfo is None else given
