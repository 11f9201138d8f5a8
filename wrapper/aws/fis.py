"""Fault Injection Service: a spot interruption sent on purpose, and nothing left of the sending.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#send-spot-instance-interruptions
Written from its documentation; tried on the embedded EC2, not yet on AWS.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from wrapper.aws.words import code_of
from wrapper.errors import AwsError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrapper.aws.account import Account

_TAG = "jupyter-clouds:interrupt"
ACTION = "aws:ec2:send-spot-instance-interruptions"
_TRIES, _PAUSE = 12, 2.5
"""IAM tells all of AWS of a new role within seconds; until then FIS may not take it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""


@contextmanager
def interruption(  # noqa: PLR0913 (each is one fact about the sending)
    account: Account,
    name: str,
    instance_id: str,
    *,
    seconds: int,
    role_arn: str | None = None,
    mark: str | None = None,
) -> Iterator[Callable[[], None]]:
    """The machine is interrupted so many seconds from now. AwsError, RequestError.

    Yields what raises AwsError when FIS could not send it. A role, unless one is given, and the
    experiment's template are made for this, and gone afterwards; after a kill, `clear` finds them
    by their mark.
    """
    mark = mark or secrets.token_hex(3)
    tags = {"Name": f"jupyter-clouds-{name}", _TAG: mark}
    doing = f"sending {instance_id} an interruption"
    with account.mapped(doing):
        arn = _arn(account, instance_id)
    with (
        _role(account, name, arn, role_arn, _role_name(name, mark)) as role,
        account.mapped(doing),
        _template(account, arn, role, seconds, tags) as template,
    ):
        started = patiently(
            lambda: account.fis.start_experiment(
                clientToken=secrets.token_hex(16),
                experimentTemplateId=template,
                tags={"Name": tags["Name"]},
            )
        )["experiment"]["id"]
        yield lambda: _check_sent(account, started)


def _role_name(name: str, mark: str) -> str:
    return f"jupyter-clouds-interrupt-{name}-{mark}"


def clear(account: Account, name: str, mark: str) -> None:
    """Nothing is left of a sending that was killed. AwsError: it may be, or could not be seen."""
    with account.mapped("looking for templates of experiments"):
        pages = account.fis.get_paginator("list_experiment_templates").paginate()
        for one in [one for page in pages for one in page["experimentTemplates"]]:
            if one.get("tags", {}).get(_TAG) == mark:
                account.fis.delete_experiment_template(id=one["id"])
    _end_role(account, _role_name(name, mark))


@contextmanager
def _there(account: Account) -> Iterator[None]:
    """A region without FIS has no address for it. RequestError tells so."""
    try:
        yield
    except EndpointConnectionError as error:
        raise RequestError(
            f"The Fault Injection Service does not answer in {account.region}; some regions have "
            "none, and then no interruption can be rehearsed there.",
            hint="Rehearse on the embedded EC2: python -m wrapper up rehearsal --local --spot",
        ) from error


def _arn(account: Account, instance_id: str) -> str:
    caller = account.sts.get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    return f"arn:{partition}:ec2:{account.region}:{caller['Account']}:instance/{instance_id}"


@contextmanager
def _role(
    account: Account, name: str, instance_arn: str, given: str | None, role: str
) -> Iterator[str]:
    """ARN of a role that FIS may take, and that may interrupt this machine and no other."""
    if given:
        yield given
        return
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "fis.amazonaws.com"},
        "Action": "sts:AssumeRole",
        # https://docs.aws.amazon.com/fis/latest/userguide/cross-service-confused-deputy-prevention.html
        "Condition": {"StringEquals": {"aws:SourceAccount": instance_arn.split(":")[4]}},
    }
    allowed = [
        {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ec2:SendSpotInstanceInterruptions",
            "Resource": instance_arn,
        },
    ]
    try:
        with account.mapped(f"making the role {role}"):
            made = account.iam.create_role(
                RoleName=role,
                AssumeRolePolicyDocument=_policy([trusted]),
                Description="jupyter-clouds: one rehearsed interruption; can be deleted",
                Tags=[{"Key": "jupyter-clouds:interrupt", "Value": name}],
            )["Role"]["Arn"]
            account.iam.put_role_policy(
                RoleName=role, PolicyName="interrupt", PolicyDocument=_policy(allowed)
            )
        yield made
    finally:
        with suppress(AwsError):
            _end_role(account, role)


def _end_role(account: Account, role: str) -> None:
    """It is gone; nothing happens when it was gone before. AwsError."""
    ends: tuple[Callable[[], Any], ...] = (
        lambda: account.iam.delete_role_policy(RoleName=role, PolicyName="interrupt"),
        lambda: account.iam.delete_role(RoleName=role),
    )
    for end in ends:
        with account.mapped(f"removing the role {role}"):
            try:
                end()
            except ClientError as error:
                if code_of(error) != "NoSuchEntity":
                    raise


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@contextmanager
def _template(
    account: Account, instance_arn: str, role: str, seconds: int, tags: dict[str, str]
) -> Iterator[str]:
    asked: dict[str, Any] = {
        "clientToken": secrets.token_hex(16),
        "description": "jupyter-clouds: a rehearsed interruption",
        "roleArn": role,
        "stopConditions": [{"source": "none"}],
        "targets": {
            "machine": {
                "resourceType": "aws:ec2:spot-instance",
                "resourceArns": [instance_arn],
                "selectionMode": "ALL",
            }
        },
        "actions": {
            "interrupt": {
                "actionId": ACTION,
                "parameters": {"durationBeforeInterruption": _duration(seconds)},
                "targets": {"SpotInstances": "machine"},
            }
        },
        "tags": tags,
    }
    with _there(account):
        made = patiently(lambda: account.fis.create_experiment_template(**asked))
    template = str(made["experimentTemplate"]["id"])
    try:
        yield template
    finally:
        with suppress(ClientError, BotoCoreError):
            account.fis.delete_experiment_template(id=template)


def _duration(seconds: int) -> str:
    """ISO 8601, as FIS reads it."""
    return f"PT{seconds // 60}M" if seconds % 60 == 0 and seconds else f"PT{seconds}S"


def patiently(call: Any) -> Any:
    """The answer, once the service has heard of the role that was made for it."""
    for _ in range(_TRIES):
        try:
            return call()
        except ClientError as error:
            message = str(error).lower()
            if code_of(error) != "ValidationException" or "role" not in message:
                raise
            last = error
        time.sleep(_PAUSE)
    raise last


def _check_sent(account: Account, experiment: str) -> None:
    with account.mapped(f"looking up the experiment {experiment}"):
        state = account.fis.get_experiment(id=experiment)["experiment"]["state"]
    if state["status"] in ("failed", "cancelled"):
        raise AwsError(
            f"The interruption was not sent: {state.get('reason') or state['status']}",
            hint="The policy that is needed: docs/aws.md",
        )
