"""Instance profiles and what their roles may do: moto's IAM, of the account that has the roles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociation
from moto.ec2.utils import random_iam_instance_profile_association_id
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from wrapper.local.api import policy
from wrapper.local.machines import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.local.api.room import Room
    from wrapper.local.api.spot_request import SpotRequest

_PARTITION = "aws"


class ProfileStore(EC2Backend):
    """Who has which profile. moto would look for it in the account of the machines."""

    room: Room

    def profile(self, *, name: str | None, arn: str | None) -> Any:
        """The instance profile; EC2ClientError where there is none, as for one just made."""
        for one in iam_backends[self.room.account][_PARTITION].get_instance_profiles():
            if one.arn == arn if arn else one.name == name:
                return one
        which = "arn" if arn else "name"
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({arn or name}) for parameter iamInstanceProfile.{which} is invalid. "
            f"Invalid IAM Instance Profile {which}",
        )

    def check_profile(self, request: SpotRequest) -> None:
        """The profile that the request's machines are to have is there. EC2ClientError."""
        if request.profile:
            self.profile(**request.profile)

    def give_profile(self, instance: Any, request: SpotRequest) -> None:
        """The request's machine has its profile."""
        if request.profile:
            found = self.profile(**request.profile)
            self.associate_iam_instance_profile(instance.id, found.name)

    def associate_iam_instance_profile(
        self,
        instance_id: str,
        iam_instance_profile_name: str | None = None,
        iam_instance_profile_arn: str | None = None,
    ) -> IamInstanceProfileAssociation:
        found = self.profile(name=iam_instance_profile_name, arn=iam_instance_profile_arn)
        if instance_id in self.iam_instance_profile_associations:
            raise EC2ClientError(
                "IncorrectState", f"There is an existing association for instance {instance_id}"
            )
        # Abstract on paper only: moto makes its own in the same way.
        made = IamInstanceProfileAssociation(  # type: ignore[abstract] # as said
            self,
            random_iam_instance_profile_association_id(),
            self.get_instance(instance_id),
            found,
        )
        self.iam_instance_profile_associations[instance_id] = made
        return made

    def replace_iam_instance_profile_association(
        self,
        association_id: str,
        iam_instance_profile_name: str | None = None,
        iam_instance_profile_arn: str | None = None,
    ) -> IamInstanceProfileAssociation:
        old = self.disassociate_iam_instance_profile(association_id)
        return self.associate_iam_instance_profile(
            old.instance_id, iam_instance_profile_name, iam_instance_profile_arn
        )

    def role_of(self, instance_id: str) -> Role | None:
        """The role of its profile."""
        association = self.iam_instance_profile_associations.get(instance_id)
        if association is None or not association.iam_instance_profile.roles:
            return None
        found = association.iam_instance_profile
        return Role(self.room.account, found.roles[0].name, found.arn, found.id)


def allowed(
    role: Role, action: str, resource: str, context: Mapping[str, str | tuple[str, ...]]
) -> bool:
    """The role's policies let it; ValueError for a condition that is not known here."""
    try:
        found = iam_backends[role.account][_PARTITION].get_role(role.name)
    except NotFoundException:
        return False
    texts = [*found.policies.values()]  # inline ones: the module attaches no others
    asked = {"action": action, "resource": resource, "context": context, "identity": True}
    said = {policy.decision(_document(text), **asked) for text in texts}  # type: ignore[arg-type] # as `decision` names them
    return "Allow" in said and "Deny" not in said


def _document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    return found
