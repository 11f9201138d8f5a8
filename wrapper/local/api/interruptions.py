"""Interruptions: the notice in the machine's metadata, the wait, the end of its run.

Two minutes, but for hibernation, which begins at the notice:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
Machines here hibernate in this computer's memory; one that cannot stops, as on AWS.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruption-behavior.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from wrapper.errors import LocalError
from wrapper.local.machines import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.local.api.backend import Ec2
    from wrapper.local.api.spot_request import SpotRequest

Cause = Literal["no-capacity", "by-price", "by-experiment"]
NOTICE_SECONDS: Final = 120.0


@dataclass
class Interruption:
    """One that is to come."""

    request: SpotRequest
    cause: Cause
    at: float
    notice_at: float | None
    """None is without warning: the plug is pulled."""
    noticed: bool = False

    @property
    def instance(self) -> Any:
        """The machine that it is about."""
        return self.request.instance

    @property
    def action(self) -> Literal["stop", "terminate", "hibernate"]:
        """What the request asked for."""
        behavior = self.request.interruption
        return behavior if behavior in ("stop", "hibernate") else "terminate"


class Interruptions:
    """Those of one account and region."""

    def __init__(self, backend: Ec2, clock: Callable[[], float]) -> None:
        self._backend = backend
        self._clock = clock
        self._coming: dict[str, Interruption] = {}
        self._notices: dict[str, Notice] = {}

    @property
    def coming(self) -> list[Interruption]:
        """In the order in which they were decided."""
        return list(self._coming.values())

    def order(
        self, instance: Any, cause: Cause, *, after: float = NOTICE_SECONDS, notice: bool = True
    ) -> Interruption:
        """The instance's run ends so many seconds from now, noticed two minutes before at most.

        LocalError for an instance that cannot be interrupted.
        """
        request = self._backend.spot.of(instance)
        if request is None:
            raise LocalError(f"{instance.id} is no spot machine: only those are interrupted")
        if instance.state != "running":
            raise LocalError(f"{instance.id} is {instance.state}: only what runs is interrupted")
        now = self._clock()
        coming = Interruption(request, cause, now + after, None)
        if notice:
            self.recommend(instance)
            coming.notice_at = max(now, coming.at - NOTICE_SECONDS)
            if coming.action == "hibernate":
                coming.at = coming.notice_at
        self._coming[instance.id] = coming
        self.refresh()
        return coming

    def recommend(self, instance: Any) -> None:
        """The instance is told that it is likely to be interrupted."""
        told = self._notices.get(instance.id, Notice())
        self._tell(instance, replace(told, rebalance=_stamp(self._clock())))

    def withdraw(self, instance_id: str) -> None:
        """It is not interrupted after all; what it was told so far it was told."""
        self._coming.pop(instance_id, None)

    def enforce_price(self, request: SpotRequest, after: float = NOTICE_SECONDS) -> None:
        """A running machine whose price went above what its request pays is interrupted."""
        instance = request.instance
        if instance is None or instance.state != "running" or instance.id in self._coming:
            return
        prices = self._backend.room.prices
        if prices.spot(request.instance_type, instance.availability_zone) > request.max_price:
            self.order(instance, "by-price", after=after)

    def refresh(self) -> None:
        """Every notice that is due is given, and every machine whose time is over is taken."""
        now = self._clock()
        for instance_id, coming in list(self._coming.items()):
            if coming.instance.id != instance_id or coming.instance.state != "running":
                self._forget(instance_id)  # its owner was faster
                continue
            if coming.notice_at is not None and not coming.noticed and now >= coming.notice_at:
                self._notice(coming)
            if now >= coming.at:
                self._forget(instance_id)
                self._take(coming)

    def _notice(self, coming: Interruption) -> None:
        coming.noticed = True
        told = self._notices.get(coming.instance.id, Notice())
        when = _stamp(coming.at)
        self._tell(coming.instance, replace(told, action=coming.action, time=when))
        if coming.request.state == "active":
            coming.request.enter("active", _marked(coming))

    def _take(self, coming: Interruption) -> None:
        coming.request.ending = coming.cause
        force = coming.notice_at is None
        self._backend.lifecycle.interrupt(coming.instance, coming.action, force=force)

    def _tell(self, instance: Any, notice: Notice) -> None:
        self._notices[instance.id] = notice
        self._backend.room.machines.set_notice(instance.id, notice)

    def _forget(self, instance_id: str) -> None:
        """Its next run begins without notices; this one keeps them to its end."""
        self._coming.pop(instance_id, None)
        self._notices.pop(instance_id, None)


def _marked(coming: Interruption) -> str:
    """The status code between the notice and the end.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/initiate-a-spot-instance-interruption.html
    """
    if coming.action == "terminate":
        return "fulfilled" if coming.cause == "by-experiment" else "marked-for-termination"
    return "marked-for-stop-by-experiment" if coming.cause == "by-experiment" else "marked-for-stop"


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
