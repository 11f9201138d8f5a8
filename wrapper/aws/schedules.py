"""EventBridge Scheduler: one call at a moment, made by AWS, however the machine is then.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
Any call can be a target: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
Written from its documentation; tried on the embedded EC2, not yet on AWS.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from wrapper.aws.fis import patiently
from wrapper.aws.words import code_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from wrapper.aws.account import Account

Action = Literal["stop", "terminate"]
POLICY: Final = "stop"
_LONGEST: Final = 64
_ABSENT: Final = frozenset({"NoSuchEntity", "ResourceNotFoundException"})


def schedule_name(name: str) -> str:
    """Of the deployment's schedule, and of its role."""
    return f"jupyter-clouds-schedule-{name}"[:_LONGEST]


def role_name(name: str, region: str) -> str:
    """Of the role, which every region has of its own; 64 characters at most.

    A name too long for that is told from others by its digest.
    """
    whole = f"{schedule_name(name)}-{region}"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    end = f"-{digest}-{region}"
    return schedule_name(name)[: _LONGEST - len(end)] + end


def put(account: Account, name: str, instance_id: str, action: Action, at: datetime) -> None:
    """At that moment AWS stops or terminates the machine, once; nothing else is scheduled."""
    doing = f"making the schedule {schedule_name(name)}"
    with account.mapped(doing):
        role = _role(account, name, instance_id, action)
        wanted: dict[str, Any] = {
            "Name": schedule_name(name),
            "Description": f"jupyter-clouds: the end of the hours of {name}; can be deleted",
            "ScheduleExpression": f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": f"arn:{role.split(':')[1]}:scheduler:::aws-sdk:ec2:{action}Instances",
                "RoleArn": role,
                "Input": json.dumps({"InstanceIds": [instance_id]}),
            },
        }
        try:
            patiently(lambda: account.scheduler.create_schedule(**wanted))
        except ClientError as error:
            if code_of(error) != "ConflictException":
                raise
            patiently(lambda: account.scheduler.update_schedule(**wanted))


def _role(account: Account, name: str, instance_id: str, action: Action) -> str:
    """ARN of a role that the Scheduler may take, for this machine alone."""
    caller = account.sts.get_caller_identity()
    partition, owner = caller["Arn"].split(":")[1], caller["Account"]
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        "Condition": {"StringEquals": {"aws:SourceAccount": owner}},
    }
    allowed = {
        "Effect": "Allow",
        "Action": f"ec2:{action.capitalize()}Instances",
        "Resource": f"arn:{partition}:ec2:{account.region}:{owner}:instance/{instance_id}",
    }
    role = role_name(name, account.region)
    with suppress(account.iam.exceptions.EntityAlreadyExistsException):
        account.iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=_policy(trusted),
            Description="jupyter-clouds: stops one machine at the end of its hours",
            Tags=[{"Key": "jupyter-clouds:schedule", "Value": name}],
        )
    account.iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=_policy(allowed))
    return f"arn:{partition}:iam::{owner}:role/{role}"


def remove(account: Account, name: str) -> bool:
    """There is no schedule of it and no role for one; whether there was a schedule.

    AwsError when one of them could not be removed, after the others were tried.
    """
    role = role_name(name, account.region)
    steps: tuple[Callable[[], Any], ...] = (
        lambda: account.scheduler.delete_schedule(Name=schedule_name(name)),
        lambda: account.iam.delete_role_policy(RoleName=role, PolicyName=POLICY),
        lambda: account.iam.delete_role(RoleName=role),
    )
    refused: list[ClientError] = []
    was = [_gone(step, refused) for step in steps]
    with account.mapped(f"removing the schedule {schedule_name(name)}"):
        for error in refused:
            raise error
    return was[0]


def _gone(delete: Callable[[], Any], refused: list[ClientError]) -> bool:
    try:
        delete()
    except ClientError as error:
        if code_of(error) not in _ABSENT:
            refused.append(error)
        return False
    return True


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
