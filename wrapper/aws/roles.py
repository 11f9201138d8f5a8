"""The role that a deployment's machine may have: found by path and name, removed, given to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from wrapper.aws.model import Leftover
from wrapper.aws.words import code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrapper.aws.account import Account

_NAME = re.compile(r"jupyter-clouds-machine-(?P<deployment>.+)-[0-9a-f]{8}")
"""As role.tf makes it, below a path of the region: IAM has no regions, deployments have."""
_MINUTES = 2
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def find(account: Account, name: str) -> list[Leftover]:
    """The deployment's roles, and their instance profiles.

    None for who may not list them: a machine without a role needs no right on IAM.
    """
    with account.mapped("looking for roles"):
        return [
            Leftover("role", role, "of the machine, with its instance profile")
            for role, deployment in sorted(_all(account).items())
            if deployment == name
        ]


def names(account: Account) -> set[str]:
    """The deployments that have a role for the region. ClientError."""
    return set(_all(account).values())


def _all(account: Account) -> dict[str, str]:
    """Deployments, by the name that role and instance profile have in common."""
    path = f"/jupyter-clouds/{account.region}/"
    roles = account.iam.get_paginator("list_roles").paginate(PathPrefix=path)
    profiles = account.iam.get_paginator("list_instance_profiles").paginate(PathPrefix=path)
    try:
        found = [(one["RoleName"], one["Path"]) for page in roles for one in page["Roles"]]
        found += [
            (one["InstanceProfileName"], one["Path"])
            for page in profiles
            for one in page["InstanceProfiles"]
        ]
    except ClientError as error:
        if code_of(error) not in _DENIED:
            raise
        return {}
    named = ((name, _NAME.fullmatch(name)) for name, where in found if where == path)
    return {name: match["deployment"] for name, match in named if match}


def remove(account: Account, leftover: Leftover) -> None:
    """Role and instance profile are gone. ClientError."""
    for step in _steps(account, leftover.id):
        try:
            step()
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise


def _steps(account: Account, role: str) -> Iterator[Callable[[], Any]]:
    """IAM deletes nothing that holds something, in this order.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """
    yield lambda: account.iam.remove_role_from_instance_profile(
        InstanceProfileName=role, RoleName=role
    )
    yield lambda: account.iam.delete_instance_profile(InstanceProfileName=role)
    yield lambda: [
        account.iam.delete_role_policy(RoleName=role, PolicyName=one)
        for one in account.iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    yield lambda: [
        account.iam.detach_role_policy(RoleName=role, PolicyArn=one["PolicyArn"])
        for one in account.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    ]
    yield lambda: account.iam.delete_role(RoleName=role)


def give(account: Account, instance_id: str, profile: str) -> bool:
    """The running machine has the profile; False when it had it before, or has another's.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html
    """
    with account.mapped(f"giving {instance_id} the instance profile {profile}"):
        found = account.ec2.describe_iam_instance_profile_associations(
            Filters=[{"Name": "instance-id", "Values": [instance_id]}]
        )["IamInstanceProfileAssociations"]
        if any(one.get("State") in ("associating", "associated") for one in found):
            return False

        def until() -> bool | None:
            try:
                account.ec2.associate_iam_instance_profile(
                    InstanceId=instance_id, IamInstanceProfile={"Name": profile}
                )
            except ClientError as error:
                # EC2 hears of a new one seconds after IAM has made it.
                if "Invalid IAM Instance Profile" not in str(error):
                    raise
                return None
            return True

        return account.wait(
            until, what=f"EC2 does not know the instance profile {profile}", minutes=_MINUTES
        )
