"""Spot requests: their statuses, and machines that come back.

Statuses: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
States: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-requests.html
Stop, start, cancel: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-spot-instances.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import generic_filter, random_spot_request_id

from wrapper.local.api.prices import STEP, hourly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wrapper.local.api.backend import Ec2

RELAUNCH_SECONDS: Final = 5.0
"""From the end of a persistent request's machine to the next one; minutes on AWS at times."""

MESSAGES: Final = {
    "pending-evaluation": (
        "Your Spot request has been submitted for review, and is pending evaluation."
    ),
    "fulfilled": "Your Spot request is fulfilled.",
    "instance-stopped-by-user": "You stopped your Spot Instance.",
    "instance-terminated-by-user": "You terminated your Spot Instance.",
    "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
    "request-canceled-and-instance-running": (
        "Your Spot request is canceled, but your instance is still running."
    ),
}
RequestState = Literal["open", "active", "disabled", "closed", "cancelled"]


class SpotRequest(TaggedEC2Resource):
    """One request: what was asked for, how it stands, and the machine that came of it last."""

    def __init__(self, backend: Ec2, asked: Mapping[str, Any]) -> None:
        self.ec2_backend = backend
        self.id = random_spot_request_id()
        self.asked = asked
        self.type = asked.get("Type", "one-time")
        self.interruption = asked.get("InstanceInterruptionBehavior", "terminate")
        self.specification: Mapping[str, Any] = asked["LaunchSpecification"]
        self.created = utcnow()
        self.instance: Any = None
        self.relaunch_at: float | None = None
        self.state: RequestState = "open"
        self.status_code = ""
        self.status_updated = self.created
        self.enter("open", "pending-evaluation")

    def enter(self, state: RequestState, status: str) -> None:
        """It stands thus from now on."""
        self.state, self.status_code, self.status_updated = state, status, utcnow()

    def describe(self) -> dict[str, Any]:
        """As DescribeSpotInstanceRequests shows it."""
        described = {
            "SpotInstanceRequestId": self.id,
            "CreateTime": self.created,
            "InstanceInterruptionBehavior": self.interruption,
            "LaunchSpecification": _echo(self.specification),
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": self.price,
            "State": self.state,
            "Status": {
                "Code": self.status_code,
                "Message": MESSAGES[self.status_code],
                "UpdateTime": self.status_updated,
            },
            "Tags": self.get_tags(),
            "Type": self.type,
        }
        if self.instance is not None and self.state != "open":
            described["InstanceId"] = self.instance.id
            described["LaunchedAvailabilityZone"] = self.instance.availability_zone
        for name in ("LaunchGroup", "AvailabilityZoneGroup", "ValidFrom", "ValidUntil"):
            if self.asked.get(name):
                described[name] = self.asked[name]
        return described

    @property
    def price(self) -> str:
        """The highest price that it pays: the on-demand price unless it said less."""
        if self.asked.get("SpotPrice"):
            return f"{float(self.asked['SpotPrice']):.6f}"
        # Spot is never more than on demand; twice the spot price stands in for that.
        slot = int(self.created.timestamp() // STEP.total_seconds())
        spot = hourly(self.specification["InstanceType"], self.ec2_backend.region_name, slot)
        return f"{2 * spot:f}"

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        known = {
            "instance-id": self.instance.id if self.instance is not None else None,
            "launch.image-id": self.specification.get("ImageId"),
            "launch.instance-type": self.specification.get("InstanceType"),
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


class SpotMarket:
    """All requests of one account and region."""

    def __init__(
        self,
        backend: Ec2,
        launch: Callable[[SpotRequest], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._launch = launch
        self._clock = clock
        self._requests: dict[str, SpotRequest] = {}

    def request(self, asked: Mapping[str, Any], tags: Mapping[str, str]) -> SpotRequest:
        """A request, fulfilled at once; EC2ClientError, and no request, when it cannot be."""
        _check_market(asked)
        request = SpotRequest(self._backend, asked)
        self._fulfil(request)
        request.add_tags(dict(tags))
        self._requests[request.id] = request
        return request

    def adopt(self, instance: Any, asked: Mapping[str, Any]) -> SpotRequest:
        """The request that EC2 makes for an instance launched with market options."""
        _check_market(asked)
        request = SpotRequest(self._backend, asked)
        self._bind(request, instance)
        self._requests[request.id] = request
        return request

    def describe(
        self, ids: Sequence[str], filters: Mapping[str, Sequence[str]]
    ) -> list[dict[str, Any]]:
        """Those asked for; EC2ClientError for an id that does not exist."""
        return [one.describe() for one in generic_filter(dict(filters), self._find(ids))]

    def cancel(self, ids: Sequence[str]) -> list[dict[str, str]]:
        """No further machine comes of them. A running one goes on; a stopped one is terminated."""
        requests = self._find(ids)
        for request in requests:
            if request.state == "open":
                request.enter("cancelled", "canceled-before-fulfillment")
            elif request.state == "active":
                request.enter("cancelled", "request-canceled-and-instance-running")
            elif request.state == "disabled":
                request.enter("cancelled", "instance-terminated-by-user")
                self._backend.lifecycle.terminate(request.instance)
        return [{"SpotInstanceRequestId": one.id, "State": one.state} for one in requests]

    def check_stoppable(self, instance: Any) -> None:
        """Only machines of persistent requests can be stopped."""
        request = self._of(instance)
        if request is not None and request.type != "persistent":
            raise EC2ClientError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{instance.id}' because it is associated with a "
                "one-time Spot Instance request. You can only stop Spot Instances associated with "
                "persistent Spot Instance requests.",
            )

    def check_startable(self, instance: Any) -> None:
        """Only what its owner stopped can be started; an interrupted one EC2 starts alone."""
        request = self._of(instance)
        if request is not None and request.status_code != "instance-stopped-by-user":
            raise EC2ClientError(
                "IncorrectSpotRequestState",
                f"You can't start the Spot Instance '{instance.id}' because the associated Spot "
                "Instance request is not in an appropriate state to support start.",
            )

    def started(self, instance: Any) -> None:
        """The instance was started by its owner."""
        request = self._of(instance)
        if request is not None:
            request.enter("active", "fulfilled")

    def stopped(self, instance: Any) -> None:
        """The instance was stopped by its owner, from outside or inside."""
        request = self._of(instance)
        if request is None:
            return
        if request.state == "cancelled" or request.type != "persistent":
            self._backend.lifecycle.terminate(instance)  # nothing would ever start it again
        else:
            request.enter("disabled", "instance-stopped-by-user")

    def terminated(self, instance: Any) -> None:
        """The instance is gone; a persistent request asks for another."""
        request = self._of(instance)
        if request is None:
            return
        if request.state == "cancelled":
            request.enter("cancelled", "instance-terminated-by-user")
        elif request.type == "persistent":
            request.enter("open", "instance-terminated-by-user")
            request.relaunch_at = self._clock() + RELAUNCH_SECONDS
        else:
            request.enter("closed", "instance-terminated-by-user")

    def refresh(self) -> None:
        """Open requests whose time has come have a machine again."""
        for request in list(self._requests.values()):
            due = request.relaunch_at is not None and self._clock() >= request.relaunch_at
            if request.state == "open" and due:
                self._fulfil(request)

    def _fulfil(self, request: SpotRequest) -> None:
        request.relaunch_at = None
        self._bind(request, self._launch(request))

    def _bind(self, request: SpotRequest, instance: Any) -> None:
        request.instance = instance
        instance.lifecycle = instance.instance_lifecycle = "spot"
        instance.spot_instance_request_id = request.id
        request.enter("active", "fulfilled")

    def _find(self, ids: Sequence[str]) -> list[SpotRequest]:
        for one in ids:
            if one not in self._requests:
                raise EC2ClientError(
                    "InvalidSpotInstanceRequestID.NotFound",
                    f"The spot instance request ID '{one}' does not exist",
                )
        return [self._requests[one] for one in (ids or self._requests)]

    def _of(self, instance: Any) -> SpotRequest | None:
        return self._requests.get(getattr(instance, "spot_instance_request_id", None) or "")


def _check_market(asked: Mapping[str, Any]) -> None:
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
