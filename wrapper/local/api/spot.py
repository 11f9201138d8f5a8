"""The spot market of one account and region: requests, and the machines that come of them.

Statuses: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
Stop, start, cancel: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-spot-instances.html
What happens at an interruption: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruption-behavior.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import generic_filter

from wrapper.local.api.interruptions import Interruptions
from wrapper.local.api.spot_request import SpotRequest, check_market

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wrapper.local.api.backend import Ec2

RELAUNCH_SECONDS = 5.0
"""From capacity to the next machine of a request, or the stopped one; minutes on AWS at times."""
WAITS_FOR_EC2: Final = ("instance-stopped-no-capacity", "instance-stopped-by-price")
"""Stopped machines that EC2 starts again, and only EC2."""
WAITS_FOR_ITS_OWNER: Final = ("instance-stopped-by-user", "instance-stopped-by-experiment")
"""Those that only StartInstances starts."""


class SpotMarket:
    """All requests of one account and region."""

    def __init__(self, backend: Ec2, clock: Callable[[], float]) -> None:
        self._backend = backend
        self._clock = clock
        self._requests: dict[str, SpotRequest] = {}
        self.interruptions = Interruptions(backend, clock)

    def request(self, asked: Mapping[str, Any], tags: Mapping[str, str]) -> SpotRequest:
        """A request, fulfilled at once if it can be; EC2ClientError if it never could be."""
        check_market(asked)
        request = SpotRequest(self._backend, asked)
        self._backend.check_spot(request, lambda _: True)
        self._backend.check_quota(request.instance_type, "spot")
        request.due = self._clock()
        self._evaluate(request)
        request.add_tags(dict(tags))
        self._requests[request.id] = request
        return request

    def adopt(self, instance: Any, asked: Mapping[str, Any]) -> SpotRequest:
        """The request that EC2 makes for an instance launched with market options."""
        request = SpotRequest(self._backend, asked)
        self._bind(request, instance)
        self._requests[request.id] = request
        return request

    def check_options(self, asked: Mapping[str, Any]) -> None:
        """A launch with these market options could be; EC2ClientError otherwise."""
        check_market(asked)
        request = SpotRequest(self._backend, asked)
        self._check_price(request, self._zone(request))

    def describe(
        self, ids: Sequence[str], filters: Mapping[str, Sequence[str]]
    ) -> list[dict[str, Any]]:
        """Those asked for; EC2ClientError for an id that does not exist."""
        return [one.describe() for one in generic_filter(dict(filters), self._find(ids))]

    def counted(self) -> list[str]:
        """Types of the requests that count against the quota: with a machine, or asking for one."""
        return [
            one.instance_type
            for one in self._requests.values()
            if one.state in ("open", "active")
            or (one.instance is not None and one.instance.state in ("pending", "running"))
        ]

    def cancel(self, ids: Sequence[str]) -> list[dict[str, str]]:
        """No further machine comes of them. A running one goes on; a stopped one is terminated."""
        requests = self._find(ids)
        for request in requests:
            if request.state == "open":
                request.enter("cancelled", "canceled-before-fulfillment")
            elif request.state == "active":
                request.enter("cancelled", "request-canceled-and-instance-running")
            elif request.state == "disabled":
                request.enter("cancelled", "instance-terminated-by-service")
                request.ending = "by-service"
                self._backend.lifecycle.terminate(request.instance)
        return [{"SpotInstanceRequestId": one.id, "State": one.state} for one in requests]

    def check_stoppable(self, instance: Any) -> None:
        """Only machines of persistent requests can be stopped."""
        request = self.of(instance)
        if request is not None and request.type != "persistent":
            raise EC2ClientError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{instance.id}' because it is associated with a "
                "one-time Spot Instance request. You can only stop Spot Instances associated with "
                "persistent Spot Instance requests.",
            )

    def check_startable(self, instance: Any) -> None:
        """Only what its owner stopped can be started; an interrupted one EC2 starts alone."""
        request = self.of(instance)
        if request is None:
            return
        if request.state != "disabled" or request.status_code not in WAITS_FOR_ITS_OWNER:
            raise EC2ClientError(
                "IncorrectSpotRequestState",
                f"You can't start the Spot Instance '{instance.id}' because the associated Spot "
                "Instance request is not in an appropriate state to support start.",
            )
        self._backend.check_quota(request.instance_type, "spot")
        self._check_price(request, instance.availability_zone)

    def started(self, instance: Any) -> None:
        """The instance was started, by its owner or by EC2."""
        request = self.of(instance)
        if request is not None:
            request.ending = None
            request.enter("active", "fulfilled")

    def stopping(self, instance: Any) -> None:
        """The instance is being stopped by its owner."""
        request = self.of(instance)
        if request is not None and request.state == "active":
            request.enter("active", "marked-for-stop")

    def stopped(self, instance: Any) -> None:
        """The instance is stopped: by its owner, from outside or inside, or by an interruption."""
        request = self.of(instance)
        if request is None:
            return
        if request.state == "cancelled" or request.type != "persistent":
            self._backend.lifecycle.terminate(instance)  # nothing would ever start it again
        else:
            request.enter("disabled", f"instance-stopped-{request.ending or 'by-user'}")
            request.due = None

    def terminated(self, instance: Any) -> None:
        """The instance is gone; a persistent request asks for another."""
        request = self.of(instance)
        if request is None:
            return
        status = f"instance-terminated-{request.ending or 'by-user'}"
        request.ending = None
        if request.state == "cancelled":
            request.enter("cancelled", status)
        elif request.type == "persistent":
            request.enter("open", status)
            request.due = self._clock() + RELAUNCH_SECONDS
        else:
            request.enter("closed", status)

    def refresh(self) -> None:
        """Requests whose time or capacity has come have a machine; those that are over have not."""
        for request in list(self._requests.values()):
            self._expire(request)
            if request.state in ("active", "cancelled"):
                self.interruptions.enforce_price(request)
            elif request.state == "open":
                self._try(request, self._evaluate)
            elif request.state == "disabled" and request.status_code in WAITS_FOR_EC2:
                self._try(request, self._resume)
        self.interruptions.refresh()

    @property
    def requests(self) -> list[SpotRequest]:
        """All of them, the oldest first."""
        return list(self._requests.values())

    def _try(self, request: SpotRequest, act: Callable[[SpotRequest], None]) -> None:
        try:
            act(request)
        except EC2ClientError as error:
            request.due = None
            if error.code in ("InsufficientHostCapacity", "InsufficientInstanceCapacity"):
                return  # this computer is full; tried again
            request.fault = f"{error.code}: {error.message}"
            request.enter("failed", "bad-parameters")

    def _expire(self, request: SpotRequest) -> None:
        """What the end of its validity means to a request, by the state it is in."""
        if not request.expired:
            return
        if request.state == "open":
            request.enter("cancelled", "schedule-expired")
        elif request.type == "persistent" and request.state == "active":
            request.enter("cancelled", "request-canceled-and-instance-running")
        elif request.state == "disabled":
            request.enter("cancelled", request.status_code)

    def _evaluate(self, request: SpotRequest) -> None:
        """An open request has a machine, or says what is in the way of it."""
        if request.due is not None and self._clock() < request.due:
            return
        zone = self._zone(request)
        if request.early:
            obstacle: str | None = "not-scheduled-yet"
        else:
            obstacle = self._obstacle(request, zone)
        if obstacle:
            request.due = None
            request.enter("open", obstacle)
        elif self._is_due(request):
            self._bind(request, self._backend.launch_spot(request, zone))

    def _resume(self, request: SpotRequest) -> None:
        """An interrupted machine runs again, in place, once there is capacity for it."""
        instance = request.instance
        if instance.state != "stopped":
            return
        if self._obstacle(request, instance.availability_zone):
            request.due = None
        elif self._is_due(request):
            self._backend.lifecycle.power_on(instance)

    def _is_due(self, request: SpotRequest) -> bool:
        if request.due is None:
            request.due = self._clock() + RELAUNCH_SECONDS
        return self._clock() >= request.due

    def _zone(self, request: SpotRequest) -> str:
        subnet = self._backend.check_spot(request, lambda zone: not self._obstacle(request, zone))
        return str(subnet.availability_zone)

    def _obstacle(self, request: SpotRequest, zone: str) -> str | None:
        """The status code of what keeps a machine of the request from running there."""
        room = self._backend.room
        if not room.capacity.has(zone, request.instance_type, "spot"):
            return "capacity-not-available"
        if room.prices.spot(request.instance_type, zone) > request.max_price:
            return "price-too-low"
        return None

    def _check_price(self, request: SpotRequest, zone: str) -> None:
        price = self._backend.room.prices.spot(request.instance_type, zone)
        if price > request.max_price:
            raise EC2ClientError(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {request.max_price.normalize():f} is lower than the "
                f"minimum required Spot request fulfillment price of {price.normalize():f}.",
            )

    def _bind(self, request: SpotRequest, instance: Any) -> None:
        request.instance = instance
        request.due = request.ending = None
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

    def of(self, instance: Any) -> SpotRequest | None:
        """The request that an instance came of, if it is a spot one."""
        return self._requests.get(getattr(instance, "spot_instance_request_id", None) or "")
