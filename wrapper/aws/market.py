"""Spot: requests and prices; and the ending of machines, which has to begin with the requests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws import machine, prices
from wrapper.aws.model import DEPLOYMENT_TAG, Ended, SpotRequest
from wrapper.aws.words import is_absent
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_ec2.type_defs import FilterTypeDef, SpotInstanceRequestTypeDef

    from wrapper.aws.account import Account
    from wrapper.aws.model import Instance, Market

OVER = frozenset({"cancelled", "closed", "failed"})
"""States in which a request launches nothing any more."""
GONE = frozenset({"shutting-down", "terminated"})
_MINUTES = 10


def hourly_price(account: Account, instance_type: str, zone: str, market: Market) -> Decimal | None:
    """US dollars an hour: spot's newest price in that zone, or the region's list price; None where
    AWS tells none, or not this caller.
    """
    if market != "spot":
        return _listed(account, instance_type)
    with account.mapped(f"asking for the spot price of {instance_type}"):
        found = account.ec2.describe_spot_price_history(
            InstanceTypes=[instance_type],  # type: ignore[list-item] # a user's word, not one of the stub's
            AvailabilityZone=zone,
            ProductDescriptions=["Linux/UNIX"],
            # With both at now, EC2 gives the price that holds now and no history.
            StartTime=datetime.now(UTC),
            EndTime=datetime.now(UTC),
        )["SpotPriceHistory"]
    if not found:
        return None
    newest = max(found, key=lambda price: price["Timestamp"])
    return Decimal(newest["SpotPrice"])


def _listed(account: Account, instance_type: str) -> Decimal | None:
    try:
        found = prices.on_demand(account, [instance_type], [account.region])
    except CloudsError:
        # In China, for example; and who may not ask is told that the price is not known.
        return None
    return found.get((instance_type, account.region))


def spot_request(account: Account, request_id: str) -> SpotRequest | None:
    """The request as it is now; None when EC2 does not know it (any more)."""
    found = _find(account, {"Name": "spot-instance-request-id", "Values": [request_id]})
    return found[0] if found else None


def find_spot_requests(
    account: Account, name: str, *, request_ids: Iterable[str] = ()
) -> list[SpotRequest]:
    """Requests of the deployment by its tag and by id, each once, as long as EC2 shows them."""
    found = _find(account, {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [name]})
    if ids := sorted(set(request_ids)):
        # A filter, since an unknown id in SpotInstanceRequestIds fails the whole call.
        found += _find(account, {"Name": "spot-instance-request-id", "Values": ids})
    return list({one.request_id: one for one in found}.values())


def find_instances(account: Account, name: str) -> list[Instance]:
    """Every machine of the deployment, terminated ones left out; by tag and by request."""
    requests = find_spot_requests(account, name)
    found = _machines(account, name, requests, (), ())
    return [one for one in found if one.state != "terminated"]


def cancel(account: Account, request_ids: Sequence[str]) -> None:
    """The requests launch nothing any more; the machines that came of them are as they were."""
    with account.mapped(f"cancelling {', '.join(request_ids)}"):
        try:
            account.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[*request_ids])
        except ClientError as error:
            if not is_absent(error):
                raise

    def until() -> bool | None:
        states = [spot_request(account, request_id) for request_id in request_ids]
        return True if all(one is None or one.state in OVER for one in states) else None

    account.wait(until, what=f"{', '.join(request_ids)} not yet closed", minutes=_MINUTES)


def terminate(account: Account, instance_ids: Sequence[str]) -> None:
    """The machines are gone, with the disks that go with them."""
    with account.mapped(f"terminating {', '.join(instance_ids)}"):
        try:
            account.ec2.terminate_instances(InstanceIds=[*instance_ids])
        except ClientError as error:
            if not is_absent(error):
                raise
    machine.wait_for(account, instance_ids, {"terminated"})


def end_machines(
    account: Account,
    name: str,
    *,
    request_ids: Sequence[str] = (),
    instance_ids: Sequence[str] = (),
) -> list[Ended]:
    """No request of the deployment is open and no machine of it exists; what was ended.

    The order is the point: a request that is still open answers a termination with a new
    machine, and one that is fulfilled while it is cancelled has a machine that no tag shows.
    """
    ended: list[Ended] = []
    requests = find_spot_requests(account, name, request_ids=request_ids)
    by_machine = _machines(account, name, requests, request_ids, instance_ids)
    named = {one.spot_request_id for one in by_machine if one.spot_request_id} - {
        one.request_id for one in requests
    }
    requests += find_spot_requests(account, name, request_ids=named) if named else []
    still_open = sorted({one.request_id for one in requests if one.state not in OVER})
    if still_open:
        cancel(account, still_open)
        ended += [Ended("request", request_id) for request_id in still_open]
    # Again after it, until nothing new shows up: fulfilment may have raced the cancellation.
    while machines := [
        one
        for one in _machines(account, name, requests, request_ids, instance_ids)
        if one.state != "terminated"
    ]:
        ids = sorted(one.instance_id for one in machines)
        terminate(account, ids)
        ended += [Ended("instance", instance_id) for instance_id in ids]
    return ended


def _machines(
    account: Account,
    name: str,
    requests: Sequence[SpotRequest],
    request_ids: Sequence[str],
    instance_ids: Sequence[str],
) -> list[Instance]:
    return machine.find_any(
        account,
        name,
        request_ids=[*request_ids, *(one.request_id for one in requests)],
        instance_ids=[*instance_ids, *(one.instance_id for one in requests if one.instance_id)],
    )


def _find(account: Account, *filters: FilterTypeDef) -> list[SpotRequest]:
    with account.mapped("looking for spot requests"):
        pages = account.ec2.get_paginator("describe_spot_instance_requests").paginate(
            Filters=[*filters]
        )
        return [_described(one) for page in pages for one in page["SpotInstanceRequests"]]


def _described(raw: SpotInstanceRequestTypeDef) -> SpotRequest:
    status = raw.get("Status", {})
    return SpotRequest(
        request_id=str(raw.get("SpotInstanceRequestId")),
        name=machine.tag(raw.get("Tags", ()), DEPLOYMENT_TAG),
        state=str(raw.get("State")),
        status=status.get("Code", ""),
        message=status.get("Message", ""),
        instance_id=raw.get("InstanceId") or None,
        persistent=raw.get("Type") == "persistent",
    )
