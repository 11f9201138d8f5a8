"""One spot request: what was asked for, how it stands, and what DescribeSpotInstanceRequests shows.

States and status codes:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
Codes of interruptions by the Fault Injection Service:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/initiate-a-spot-instance-interruption.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import parse_user_data, random_spot_request_id

from wrapper.local.api.prices import on_demand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wrapper.local.api.backend import Ec2

MESSAGES: Final = {
    "bad-parameters": "Your Spot request failed due to bad parameters.",
    "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
    "capacity-not-available": "There is no Spot capacity available that matches your request.",
    "fulfilled": "Your Spot request is fulfilled.",
    "instance-stopped-by-experiment": "Your Spot Instance was stopped by an experiment.",
    "instance-stopped-by-price": (
        "Your Spot Instance was stopped because your maximum price is below the Spot price."
    ),
    "instance-stopped-by-user": "You stopped your Spot Instance.",
    "instance-stopped-no-capacity": (
        "Your Spot Instance was stopped because there is no Spot capacity available that matches "
        "your request."
    ),
    "instance-terminated-by-experiment": "Your Spot Instance was terminated by an experiment.",
    "instance-terminated-by-price": (
        "Your Spot Instance was terminated because your maximum price is below the Spot price."
    ),
    "instance-terminated-by-service": "Your Spot Instance was terminated from a stopped state.",
    "instance-terminated-by-user": "You terminated your Spot Instance.",
    "instance-terminated-no-capacity": (
        "Your Spot Instance was terminated because there is no Spot capacity available that "
        "matches your request."
    ),
    "marked-for-stop": "Your Spot Instance is marked for stop.",
    "marked-for-stop-by-experiment": "Your Spot Instance is marked for stop by an experiment.",
    "marked-for-termination": "Your Spot Instance is marked for termination.",
    "not-scheduled-yet": "Your Spot request will not be evaluated until its scheduled date.",
    "pending-evaluation": (
        "Your Spot request has been submitted for review, and is pending evaluation."
    ),
    "price-too-low": "Your maximum price is below the minimum required Spot price.",
    "request-canceled-and-instance-running": (
        "Your Spot request is canceled, but your instance is still running."
    ),
    "schedule-expired": "Your Spot request expired before it was fulfilled.",
}
RequestState = Literal["open", "active", "disabled", "closed", "cancelled", "failed"]


class SpotRequest(TaggedEC2Resource):
    """What was asked for, how it stands, and the machine that came of it last."""

    def __init__(self, backend: Ec2, asked: Mapping[str, Any]) -> None:
        self.ec2_backend = backend
        self.id = random_spot_request_id()
        self.asked = asked
        self.type = asked.get("Type", "one-time")
        self.interruption = asked.get("InstanceInterruptionBehavior", "terminate")
        self.specification: Mapping[str, Any] = asked["LaunchSpecification"]
        self.instance_type: str = self.specification.get("InstanceType", "m1.small")
        self.image_id: str = self.specification.get("ImageId", "")
        self.user_data = parse_user_data(self.specification.get("UserData"))
        self.created = self._now()
        self.instance: Any = None
        self.due: float | None = None
        """When its next machine comes, once nothing is in the way of it."""
        self.ending: str | None = None
        """Why its machine ends, when it is not the owner who ended it: a status code's end."""
        self.fault = ""
        self.state: RequestState = "open"
        self.status_code = ""
        self.enter("open", "pending-evaluation")

    @property
    def profile(self) -> dict[str, str | None] | None:
        """The instance profile that its machines get, by name or ARN."""
        said = self.specification.get("IamInstanceProfile") or {}
        return {"name": said.get("Name"), "arn": said.get("Arn")} if said else None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.ec2_backend.room.clock(), UTC)

    def enter(self, state: RequestState, status: str) -> None:
        """It stands thus from now on; nothing changes if it did before."""
        if (state, status) != (self.state, self.status_code):
            self.state, self.status_code, self.status_updated = state, status, self._now()

    @property
    def max_price(self) -> Decimal:
        """The highest price that it pays: the on-demand price unless it said less."""
        return Decimal(
            self.asked.get("SpotPrice")
            or on_demand(self.instance_type, self.ec2_backend.region_name)
        )

    def scheduled(self, name: Literal["ValidFrom", "ValidUntil"]) -> datetime | None:
        """A bound of its validity, aware."""
        at: datetime | None = self.asked.get(name)
        return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at

    @property
    def expired(self) -> bool:
        """Its time is over."""
        until = self.scheduled("ValidUntil")
        return until is not None and until <= self._now()

    @property
    def early(self) -> bool:
        """Its time has not come."""
        since = self.scheduled("ValidFrom")
        return since is not None and since > self._now()

    def arguments(self, region: str) -> dict[str, Any]:
        """What moto's run_instances has to be told, beside image, user data and group names."""
        wanted = self.specification
        return {
            "associate_public_ip": None,
            "block_device_mappings": list(wanted.get("BlockDeviceMappings") or []),
            "ebs_optimized": bool(wanted.get("EbsOptimized")),
            "instance_type": self.instance_type,
            "is_instance_type_default": False,
            "key_name": wanted.get("KeyName"),
            "lifecycle": "spot",
            "nics": [dict(nic) for nic in wanted.get("NetworkInterfaces") or []],
            "placement": (wanted.get("Placement") or {}).get("AvailabilityZone"),
            "region_name": region,
            "security_group_ids": list(wanted.get("SecurityGroupIds") or []),
            "subnet_id": wanted.get("SubnetId"),
        }

    def describe(self) -> dict[str, Any]:
        """As DescribeSpotInstanceRequests shows it."""
        message = self.fault or MESSAGES[self.status_code]
        described = {
            "SpotInstanceRequestId": self.id,
            "CreateTime": self.created,
            "InstanceInterruptionBehavior": self.interruption,
            "LaunchSpecification": _echo(self.specification),
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": f"{self.max_price:.6f}",
            "State": self.state,
            "Status": {
                "Code": self.status_code,
                "Message": message,
                "UpdateTime": self.status_updated,
            },
            "Tags": self.get_tags(),
            "Type": self.type,
        }
        if self.fault:
            described["Fault"] = {"Code": self.status_code, "Message": message}
        if self.instance is not None and self.state != "open":
            described["InstanceId"] = self.instance.id
            described["LaunchedAvailabilityZone"] = self.instance.availability_zone
        for name in ("LaunchGroup", "AvailabilityZoneGroup", "ValidFrom", "ValidUntil"):
            if self.asked.get(name):
                described[name] = self.asked[name]
        return described

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        known = {
            "instance-id": self.instance.id if self.instance is not None else None,
            "launch.image-id": self.image_id,
            "launch.instance-type": self.instance_type,
            "spot-instance-request-id": self.id,
            "state": self.state,
            "status-code": self.status_code,
            "type": self.type,
        }
        if filter_name in known:
            return known[filter_name]
        return super().get_filter_value(filter_name, method_name or "DescribeSpotInstanceRequests")


def _echo(specification: Mapping[str, Any]) -> dict[str, Any]:
    """The specification as EC2 gives it back: groups by id, user data left out."""
    echo = {
        key: value
        for key, value in specification.items()
        if key not in ("SecurityGroupIds", "SecurityGroups", "UserData", "Monitoring")
    }
    groups = specification.get("SecurityGroupIds") or []
    echo["SecurityGroups"] = [{"GroupId": group} for group in groups]
    echo["Monitoring"] = {"Enabled": bool(specification.get("Monitoring", {}).get("Enabled"))}
    return echo


def check_market(asked: Mapping[str, Any]) -> None:
    """There could be such a request; EC2ClientError otherwise."""
    behavior = asked.get("InstanceInterruptionBehavior", "terminate")
    if behavior != "terminate" and asked.get("Type", "one-time") != "persistent":
        raise EC2ClientError(
            "InvalidParameterCombination",
            f"The interruption behavior '{behavior}' needs a persistent Spot request.",
        )
    instance_type = asked["LaunchSpecification"].get("InstanceType", "m1.small")
    facts = INSTANCE_TYPES.get(instance_type, {})
    if "spot" not in facts.get("SupportedUsageClasses", ["spot"]):
        raise EC2ClientError(
            "InvalidInput", f"The instance type '{instance_type}' does not support Spot."
        )


def tags_of(specifications: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags for the request itself; EC2ClientError for any other kind, as EC2 answers."""
    tags: dict[str, str] = {}
    for one in specifications:
        kind = one.get("ResourceType")
        if kind != "spot-instances-request":
            raise EC2ClientError(
                "InvalidParameterValue",
                f"'{kind}' is not a valid taggable resource type for this operation.",
            )
        tags.update({tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", [])})
    return tags
