"""`Aws`: every call that the rest of the wrapper makes to EC2, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import (
    buckets,
    fis,
    hands,
    leftovers,
    machine,
    market,
    request,
    snapshots,
    tagged,
    volumes,
)
from wrapper.aws.account import Account
from wrapper.aws.cost_door import CostDoor
from wrapper.aws.image_door import ImageDoor
from wrapper.aws.market_door import MarketDoor
from wrapper.aws.role_door import RoleDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from wrapper.aws.model import (
        Ended,
        Facts,
        Identity,
        Instance,
        Leftover,
        Market,
        Pace,
        Request,
        Snapshot,
        SnapshotKind,
        SpotRequest,
        Volume,
    )


class Aws(CostDoor, ImageDoor, MarketDoor, RoleDoor):
    """One account in one region. Raises CredentialsError, RequestError or AwsError, each in words.

    The environment decides alone: AWS_ENDPOINT_URL (the embedded EC2), AWS_ACCESS_KEY_ID and its
    siblings, AWS_PROFILE; the SDK's files and roles are asked only where it names no keys.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        region: str | None = None,
        pace: Pace | None = None,
        account: Account | None = None,
    ) -> None:
        """Nothing is asked yet; `pace` sets how often a wait looks. RequestError: no region."""
        self._account = account or Account(environment=environment, region=region, pace=pace)

    def elsewhere(self, region: str) -> Aws:
        """The same account in another region."""
        return Aws(environment={}, account=self._account.elsewhere(region))

    @property
    def region(self) -> str:
        """The region asked for, else the environment's, else the profile's."""
        return self._account.region

    def identity(self) -> Identity:
        """Whose credentials these are. CredentialsError: missing, expired or refused."""
        return self._account.identity()

    def regions(self) -> list[str]:
        """The regions that the account can use, sorted."""
        return tagged.regions(self._account)

    def names(self) -> list[str]:
        """Every deployment that something in the region is tagged with, sorted."""
        return tagged.names(self._account)

    def check_request(self, wanted: Request) -> Facts:
        """The machine asked for can exist. RequestError names what cannot, and a way out."""
        return request.check(self._account, wanted)

    def hourly_price(self, instance_type: str, zone: str, of_market: Market) -> Decimal | None:
        """US dollars an hour, spot's in that zone or the region's by list; None where not told."""
        return market.hourly_price(self._account, instance_type, zone, of_market)

    def console(self, instance_id: str) -> str:
        """What the machine wrote to its console, the newest 64 KB; empty when nothing yet."""
        return machine.console(self._account, instance_id)

    def instance(self, instance_id: str) -> Instance | None:
        """The machine as it is now; None when EC2 does not know it (any more)."""
        return machine.instance(self._account, instance_id)

    def find_instances(self, name: str) -> list[Instance]:
        """Every machine of that deployment, terminated ones left out; by tag and by request."""
        return market.find_instances(self._account, name)

    def spot_request(self, request_id: str) -> SpotRequest | None:
        """The request as it is now; None when EC2 does not know it (any more)."""
        return market.spot_request(self._account, request_id)

    def find_spot_requests(self, name: str) -> list[SpotRequest]:
        """Every request of that deployment that EC2 still shows."""
        return market.find_spot_requests(self._account, name)

    def require_imdsv2(self, instance_id: str) -> None:
        """The machine's metadata answers only with a token; nothing happens if it did before."""
        machine.require_imdsv2(self._account, instance_id)

    def stop_instance(self, instance_id: str) -> None:
        """The machine is stopped. AwsError after 10 minutes."""
        machine.stop_instance(self._account, instance_id)

    def start_instance(self, instance_id: str) -> None:
        """The machine runs. AwsError after 10 minutes."""
        machine.start_instance(self._account, instance_id)

    def interruption(
        self,
        name: str,
        instance_id: str,
        *,
        seconds: int,
        role_arn: str | None = None,
        mark: str | None = None,
    ) -> AbstractContextManager[Callable[[], None]]:
        """EC2 takes the machine so many seconds later; see `fis`. RequestError: no FIS there."""
        return fis.interruption(
            self._account, name, instance_id, seconds=seconds, role_arn=role_arn, mark=mark
        )

    def clear_interruption(self, name: str, mark: str) -> None:
        """Nothing is left of an interruption whose sending was killed. AwsError."""
        fis.clear(self._account, name, mark)

    def end_machines(
        self,
        name: str,
        *,
        request_ids: Sequence[str] = (),
        instance_ids: Sequence[str] = (),
    ) -> list[Ended]:
        """No request of the deployment is open and no machine of it exists; what was ended.

        Requests are cancelled first, since EC2 replaces the terminated machine of an open one.
        The ids are those in Terraform's state: spot machines carry no tags until Terraform sets
        them. Takes up to 10 minutes, then AwsError; safe to call again.
        """
        return market.end_machines(
            self._account, name, request_ids=request_ids, instance_ids=instance_ids
        )

    def leftovers(
        self,
        name: str,
        *,
        request_ids: Sequence[str] = (),
        instance_ids: Sequence[str] = (),
    ) -> list[Leftover]:
        """Everything of the deployment that still exists, in the order to remove it."""
        return leftovers.find(
            self._account, name, request_ids=request_ids, instance_ids=instance_ids
        )

    def find_buckets(self, name: str) -> list[Leftover]:
        """The deployment's buckets in the region; none for who may not list buckets."""
        return buckets.find(self._account, name)

    def remove(self, leftover: Leftover, *, seconds: float | None = None) -> None:
        """That thing is gone, or being deleted. AwsError: it is held, for so long now."""
        leftovers.remove(self._account, leftover, seconds=seconds)

    def volume(self, volume_id: str) -> Volume | None:
        """The volume as it is now; None when EC2 does not know it (any more)."""
        return volumes.volume(self._account, volume_id)

    def free_address(self, name: str) -> str | None:
        """Allocation id of the deployment's Elastic IP that nothing has."""
        return hands.free_address(self._account, name)

    def associate(self, allocation_id: str, instance_id: str) -> None:
        """The machine has the address; once more changes nothing."""
        hands.associate(self._account, allocation_id, instance_id)

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        """The volume is being attached. AwsError when it is already, or nothing runs there."""
        hands.attach(self._account, volume_id, instance_id, device)

    def find_volumes(self, name: str) -> list[Volume]:
        """Every volume that holds the deployment's data, live and kept."""
        return volumes.find(self._account, name)

    def create_volume(
        self, *, zone: str, gib: int, snapshot_id: str | None, tags: dict[str, str]
    ) -> str:
        """A new encrypted gp3 volume is on its way; its id."""
        return volumes.create(self._account, zone=zone, gib=gib, snapshot_id=snapshot_id, tags=tags)

    def claim_volume(self, volume_id: str, name: str) -> None:
        """The kept volume is a part of the deployment again."""
        volumes.claim(self._account, volume_id, name)

    def release_volume(self, volume_id: str, name: str) -> None:
        """The volume is kept: no part of the deployment, and no leftover of it."""
        volumes.release(self._account, volume_id, name)

    def mark_ending(self, volume_id: str, mark: str) -> None:
        """A final snapshot with the same mark shows all that will ever be on the volume."""
        volumes.mark_ending(self._account, volume_id, mark)

    def mark_untouched(self, volume_id: str, *, untouched: bool) -> None:
        """The volume is marked as one that no machine has ever had, or not any more."""
        volumes.mark_untouched(self._account, volume_id, untouched=untouched)

    def wait_until_free(self, volume_id: str) -> None:
        """No machine holds the volume. AwsError after 10 minutes."""
        volumes.wait_until_free(self._account, volume_id)

    def delete_volume(self, volume_id: str) -> None:
        """The volume is gone, or being deleted. AwsError when it is held for 10 minutes."""
        volumes.delete(self._account, volume_id)

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """The snapshot as it is now; None when EC2 does not know it (any more)."""
        return snapshots.snapshot(self._account, snapshot_id)

    def find_snapshots(self, name: str) -> list[Snapshot]:
        """Every snapshot of the deployment's data, the newest first."""
        return snapshots.find(self._account, name)

    def create_snapshot(
        self, volume: Volume, name: str, kind: SnapshotKind, *, ending: str | None = None
    ) -> Snapshot:
        """A snapshot of the volume as it is at this moment has begun."""
        return snapshots.create(self._account, volume, name, kind, ending=ending)

    def copy_snapshot(self, source: Snapshot, from_region: str, name: str) -> str:
        """Id of a copy, begun here, of another region's snapshot."""
        return snapshots.copy(self._account, source, from_region, name)

    def wait_for_snapshot(self, snapshot_id: str, progress: Callable[[int], None]) -> Snapshot:
        """It is completed; per cent are told on the way, for hours if need be. AwsError: failed."""
        return snapshots.wait_for(self._account, snapshot_id, progress)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """The snapshot is gone. AwsError when an image is made of it."""
        snapshots.delete(self._account, snapshot_id)
