"""Machines: described, read, stopped, started."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from wrapper.aws.model import DEPLOYMENT_TAG, Instance
from wrapper.aws.words import code_of, is_absent
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef, TagTypeDef

    from wrapper.aws.account import Account

_MINUTES = 10


def console(account: Account, instance_id: str) -> str:
    """What the machine wrote to its console, the newest 64 KB; empty when nothing yet."""
    with account.mapped(f"reading the console of {instance_id}"):
        try:
            found = account.ec2.get_console_output(InstanceId=instance_id, Latest=True)
        except ClientError as error:
            # Types older than Nitro know no Latest; theirs is posted minutes late.
            if code_of(error) != "UnsupportedOperation":
                raise
            found = account.ec2.get_console_output(InstanceId=instance_id)
    return found.get("Output") or ""


def instance(account: Account, instance_id: str) -> Instance | None:
    """The machine as it is now; None when EC2 does not know it (any more)."""
    with account.mapped(f"looking up {instance_id}"):
        try:
            found = account.ec2.describe_instances(InstanceIds=[instance_id])
        except ClientError as error:
            if is_absent(error):
                return None
            raise
    machines = [one for group in found["Reservations"] for one in group.get("Instances", [])]
    return described(machines[0]) if machines else None


def find(account: Account, *filters: FilterTypeDef) -> list[Instance]:
    """Machines that match all filters; terminated ones too, as long as EC2 shows them."""
    with account.mapped("looking for machines"):
        pages = account.ec2.get_paginator("describe_instances").paginate(Filters=[*filters])
        return [
            described(one)
            for page in pages
            for group in page["Reservations"]
            for one in group.get("Instances", [])
        ]


def find_any(
    account: Account,
    name: str,
    *,
    request_ids: Iterable[str] = (),
    instance_ids: Iterable[str] = (),
) -> list[Instance]:
    """Machines of the deployment by its tag, by spot request and by id; each once."""
    ways = {
        f"tag:{DEPLOYMENT_TAG}": [name],
        "spot-instance-request-id": sorted(set(request_ids)),
        "instance-id": sorted(set(instance_ids)),
    }
    found = {
        one.instance_id: one
        for way, values in ways.items()
        if values
        for one in find(account, {"Name": way, "Values": values})
    }
    return list(found.values())


def require_imdsv2(account: Account, instance_id: str) -> None:
    """The machine's metadata answers only with a token; nothing happens if it did before."""
    found = _existing(account, instance_id)
    if found.imdsv2_required:
        return
    with account.mapped(f"requiring IMDSv2 of {instance_id}"):
        account.ec2.modify_instance_metadata_options(
            InstanceId=instance_id, HttpTokens="required", HttpEndpoint="enabled"
        )


def stop_instance(account: Account, instance_id: str) -> None:
    """The machine is stopped; at once when it was."""
    if _existing(account, instance_id).state == "pending":
        # StopInstances refuses a machine that is on its way up.
        wait_for(account, [instance_id], {"running", "stopping", "stopped"})
    with account.mapped(f"stopping {instance_id}"):
        try:
            state = _existing(account, instance_id).state
            if state == "pending":
                # StopInstances refuses a machine that is on its way up.
                wait_for(account, [instance_id], {"running", "stopping", "stopped"})
            if state != "stopped":
                account.ec2.stop_instances(InstanceIds=[instance_id])
        except ClientError as error:
            # It left its state between the two calls: where to is seen while waiting.
            if code_of(error) != "IncorrectInstanceState":
                raise
    wait_for(account, [instance_id], {"stopped"})


def start_instance(account: Account, instance_id: str) -> None:
    """The machine runs; at once when it did."""
    if _existing(account, instance_id).state == "stopping":
        # StartInstances refuses a machine that is on its way down.
        wait_for(account, [instance_id], {"stopped"})
    with account.mapped(f"starting {instance_id}"):
        account.ec2.start_instances(InstanceIds=[instance_id])
    wait_for(account, [instance_id], {"running"})


def wait_for(account: Account, instance_ids: Sequence[str], states: set[str]) -> None:
    """Each of the machines is in one of the states. AwsError when one cannot get there."""
    account.wait(
        _all_in(account, instance_ids, states),
        what=f"{', '.join(instance_ids)} not yet {' or '.join(sorted(states))}",
        minutes=_MINUTES,
    )


def _all_in(
    account: Account, instance_ids: Sequence[str], states: set[str]
) -> Callable[[], bool | None]:
    def until() -> bool | None:
        for instance_id in instance_ids:
            found = instance(account, instance_id)
            state = "terminated" if found is None else found.state
            if state in ("shutting-down", "terminated") and "terminated" not in states:
                why = found.state_reason if found else None
                raise AwsError(
                    f"{instance_id} was terminated by somebody else{f': {why}' if why else ''}.",
                    hint="Clear away what is left of it: python -m wrapper down",
                )
            if state not in states:
                return None
        return True

    return until


def _existing(account: Account, instance_id: str) -> Instance:
    found = instance(account, instance_id)
    if found is None or found.state == "terminated":
        raise AwsError(
            f"{account.region} has no machine {instance_id} (any more).",
            hint="Clear away what is left of it: python -m wrapper down",
        )
    return found


def described(raw: InstanceTypeDef) -> Instance:
    """EC2's answer as a plain value."""
    reason = raw.get("StateReason", {}).get("Message") or raw.get("StateTransitionReason")
    return Instance(
        instance_id=raw["InstanceId"],
        name=tag(raw.get("Tags", ()), DEPLOYMENT_TAG),
        state=raw["State"]["Name"],
        state_reason=reason or None,
        instance_type=raw["InstanceType"],
        zone=raw.get("Placement", {}).get("AvailabilityZone", ""),
        market="spot" if raw.get("InstanceLifecycle") == "spot" else "on-demand",
        public_ip=raw.get("PublicIpAddress") or None,
        launched_at=raw["LaunchTime"],
        spot_request_id=raw.get("SpotInstanceRequestId") or None,
        imdsv2_required=raw.get("MetadataOptions", {}).get("HttpTokens") == "required",
        stopped_at=_stopped_at(raw),
    )


def _stopped_at(raw: InstanceTypeDef) -> datetime | None:
    """From words like "User initiated (2026-11-23 10:00:00 GMT)"."""
    told = re.search(r"\((\d[\d :-]{18}) GMT\)", raw.get("StateTransitionReason") or "")
    if told is None or raw["State"]["Name"] in ("pending", "running"):
        return None
    return datetime.strptime(told[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def tag(tags: Iterable[TagTypeDef], key: str) -> str | None:
    """The tag's value; None when there is no such tag."""
    return next((one.get("Value") for one in tags if one.get("Key") == key), None)
