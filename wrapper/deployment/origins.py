"""Where data can come from: a volume or a snapshot, looked up and judged. Nothing changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.aws.model import Volume
from wrapper.deployment import kept
from wrapper.deployment.events import Warned
from wrapper.environment import for_aws
from wrapper.errors import RequestError
from wrapper.market_settings import ZONE

if TYPE_CHECKING:
    from collections.abc import Collection

    from wrapper.aws import Aws, Snapshot
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record
    from wrapper.settings import Settings


@dataclass(frozen=True)
class Origin:
    """What the data begins with; with neither of the two, empty."""

    volume: Volume | None = None
    snapshot: Snapshot | None = None
    from_region: str | None = None
    """Where the snapshot is, unless it is here."""
    ours: bool = True
    """Of this name, and not somebody else's that the user has named."""
    named: bool = False
    """By --data-volume: it is the user's to look after, and stays where it is."""

    @property
    def taken_over(self) -> str | None:
        """Id of the volume, where Terraform manages it from now on, so that it grows and moves.

        One that is not encrypted it would make anew.
        """
        one = self.volume
        return one.volume_id if one and self.ours and not self.named and one.encrypted else None

    @property
    def is_claimed(self) -> bool:
        """The volume is a part of its deployment already."""
        one = self.volume
        return bool(one and one.deployment == one.data_of and not one.kept_at and not one.ending)

    @property
    def words(self) -> str | None:
        """For the question; None when there is nothing to tell."""
        if self.volume:
            since = self.volume.kept_at
            whose = f", kept since {since.date()}" if since else "" if self.ours else ", yours"
            return f"{self.volume.volume_id}{whose}, {self.volume.gib} GiB, {self.volume.zone}"
        if self.snapshot:
            day, gib = self.snapshot.started_at.date(), self.snapshot.gib
            where = f", copied from {self.from_region}" if self.from_region else ""
            return f"restores {self.snapshot.snapshot_id} of {day}, {gib} GiB{where}"
        return None


def named_volume(way: Way, name: str, volume_id: str, *, ours: Collection[str] = ()) -> Origin:
    """RequestError: it is not there, or not to be had. `ours`: machines that may hold it."""
    found = way.aws.volume(volume_id)
    if found is None:
        raise RequestError(
            f"{way.aws.region} has no volume {volume_id}, or not for this account.",
            hint="A volume belongs to one zone of one region: aws ec2 describe-volumes "
            f"--region {way.aws.region} --volume-ids {volume_id}",
        )
    if found.deployment not in (None, name):
        raise RequestError(
            f"{volume_id} is a part of the deployment {found.deployment}.",
            hint=f"First: python -m wrapper down {found.deployment} --data keep",
        )
    origin = Origin(volume=found, ours=found.data_of == name, named=True)
    return origin if found.attached_to in ours else free(origin, name)


def free(origin: Origin, name: str) -> Origin:
    """The same; RequestError when a machine holds the volume, or it cannot be used at all."""
    volume = origin.volume
    if volume and volume.attached_to:
        raise RequestError(
            f"{volume.volume_id} is in use: {volume.attached_to} holds it.",
            hint=f"Let go of it there: aws ec2 detach-volume --volume-id {volume.volume_id}; or "
            f"start empty: python -m wrapper up {name} --fresh-data",
        )
    if volume and volume.state != "available":
        raise RequestError(
            f"{volume.volume_id} is {volume.state}, not available.",
            hint=f"aws ec2 describe-volumes --volume-ids {volume.volume_id}",
        )
    return origin


def say_where_it_stays(world: World, origin: Origin, asked: Settings, name: str) -> None:
    """Who allows other zones was told that an adopted volume never leaves its own."""
    if origin.volume is None or origin.taken_over or ZONE not in asked.fallbacks:
        return
    volume_id, zone = origin.volume.volume_id, origin.volume.zone
    copied = "" if origin.ours else f"python -m wrapper snapshot {name}; "
    world.report(
        Warned(
            f"--fallback zone: {volume_id} never leaves {zone}, and no other zone is tried. To "
            f"begin with a copy of it in any zone: {copied}python -m wrapper down {name}, then "
            f"python -m wrapper up {name}"
        )
    )


def refuse_elsewhere(origin: Origin, asked: Settings, zones: Collection[str], name: str) -> None:
    """The subnet is not in another zone than a volume that stays in its own. RequestError."""
    volume = origin.volume
    if volume is None or origin.taken_over or not asked.subnet_id or volume.zone in zones:
        return
    raise RequestError(
        f"--subnet-id: {asked.subnet_id} is in {', '.join(zones)}, and {volume.volume_id}, which "
        f"never leaves its zone, in {volume.zone}.",
        hint=f"A subnet of {volume.zone}, or none. To begin with a copy of it there: "
        f"aws ec2 create-snapshot --volume-id {volume.volume_id}; then python -m wrapper up {name} "
        f"--data-snapshot SNAP --subnet-id {asked.subnet_id}",
    )


def named_snapshot(there: Aws, name: str, snapshot_id: str, from_region: str | None) -> Origin:
    """RequestError: there is none of that id, or it has failed. A pending one is waited for."""
    found = there.snapshot(snapshot_id)
    if found is None:
        raise RequestError(
            f"{there.region} has no snapshot {snapshot_id}, or not for this account.",
            hint=f"See what there is: python -m wrapper snapshots {name}; one of another region "
            "is copied: --from-region REGION",
        )
    if found.state not in ("completed", "pending"):
        raise RequestError(
            f"{snapshot_id} is of no use: its state is {found.state}"
            f"{f' ({found.message})' if found.message else ''}.",
            hint=f"Take another: python -m wrapper snapshots {name}",
        )
    return Origin(snapshot=found, from_region=from_region, ours=found.data_of == name)


def newest_elsewhere(there: Aws, name: str, from_region: str) -> Origin:
    """The newest complete one of another region. RequestError: there is none."""
    whole = [one for one in there.find_snapshots(name) if one.state == "completed"]
    if not whole:
        raise RequestError(
            f"{from_region} has no completed snapshot of {name}.",
            hint=f"See what there is: python -m wrapper snapshots {name} --region {from_region}",
        )
    return Origin(snapshot=whole[0], from_region=from_region)


def region_of(world: World, way: Way, from_region: str | None) -> tuple[Aws, str | None]:
    """Who tells of the snapshot, and its region unless that is here."""
    if from_region in (None, way.place.region):
        return way.aws, None
    environment = for_aws(world.environment, way.local)
    return world.aws(environment=environment, region=from_region), from_region


def look_where_it_was(world: World, way: Way, before: Record | None) -> None:
    """The name may have lived in another region: its data is not forgotten silently."""
    if before is None or (before.place.kind, before.place.account) != (
        way.place.kind,
        way.place.account,
    ):
        return
    there, from_region = region_of(world, way, before.place.region)
    if from_region and (found := kept.newest((), there.find_snapshots(before.name))):
        world.report(
            Warned(
                f"{id_of(found)} of {before.name} is in {from_region}, and not used here. To take "
                f"it along: python -m wrapper up {before.name} --from-region {from_region}"
            )
        )


def id_of(found: Volume | Snapshot) -> str:
    """As EC2 names it."""
    return found.volume_id if isinstance(found, Volume) else found.snapshot_id
