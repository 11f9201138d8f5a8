"""What only the owner of the embedded EC2 decides: capacity, prices, quotas, time, interruptions.

No client of EC2 can ask for these; the daemon's door and the tests do.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from wrapper.errors import LocalError
from wrapper.local.api import checks
from wrapper.local.api.capacity import MARKETS, Rule
from wrapper.local.api.clock import Clock
from wrapper.local.api.interruptions import NOTICE_SECONDS
from wrapper.local.api.refusals import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from threading import RLock

    from wrapper.local.api.backend import Ec2
    from wrapper.local.api.interruptions import Interruption
    from wrapper.local.api.room import Room

_LONGEST: Final = 100 * 365 * 86400.0
_FASTEST: Final = 1e6


class Control:
    """The hand on the market; safe to use from many threads, while the API answers."""

    def __init__(self, room: Room, backends: Mapping[str, Mapping[str, Ec2]], lock: RLock) -> None:
        self._room = room
        self._backends = backends
        self._lock = lock

    def capacity(
        self,
        verb: str,
        *,
        zone: str | None = None,
        instance_type: str | None = None,
        market: str = "both",
    ) -> None:
        """There is none left of it, or it is back; None and "both" are all. LocalError.

        What runs goes on: an interruption is a matter of its own.
        """
        checks.choice("capacity", verb, ("none", "back"))
        checks.choice("market", market, (*MARKETS, "both"))
        checks.zone(zone)
        checks.instance_type(instance_type)
        of_market = next((one for one in MARKETS if one == market), None)
        with self._lock:
            self._room.capacity.decide(Rule(verb == "back", zone, instance_type, of_market))
            self._refresh()

    def withdraw_image(self, image_id: str) -> None:
        """Its publisher has deregistered it, in the region that has it. LocalError."""
        with self._lock:
            for regions in self._backends.values():
                for backend in regions.values():
                    if image_id in backend.amis:
                        backend.deregister_image(image_id)
                        return
        raise LocalError(f"no region in use has an image {image_id}")

    def quota(self, market: str, vcpus: int | None, *, family: str = "standard") -> None:
        """The account may use so many vCPUs of that family; None is no limit. LocalError."""
        checks.choice("market", market, MARKETS)
        of_market = next(one for one in MARKETS if one == market)
        with self._lock:
            self._room.capacity.limit(of_market, family, vcpus)

    def price(
        self,
        instance_type: str,
        dollars: str | float,
        *,
        zone: str | None = None,
        after: float = NOTICE_SECONDS,
        at: str | None = None,
    ) -> None:
        """That is the spot price, an hour, from now on, or was from `at` on. LocalError.

        Until the next that was set. Machines whose requests pay less than it is now are
        interrupted, so many seconds from now.
        """
        self.series(instance_type, [(at, dollars)], zone=zone, after=after)

    def series(
        self,
        instance_type: str,
        points: Sequence[tuple[str | None, str | float]],
        *,
        zone: str | None = None,
        after: float = NOTICE_SECONDS,
    ) -> None:
        """As `price`, of many moments, each with its dollars; all of them or none. LocalError."""
        checks.zone(zone)
        checks.instance_type(instance_type)
        found = [(checks.moment(at), checks.price(dollars)) for at, dollars in points]
        with self._lock:
            for since, price in found:
                self._room.prices.set(instance_type, zone, price, at=since)
            for backend in self._regions():
                for request in backend.spot.requests:
                    backend.spot.interruptions.enforce_price(request, after)
            self._refresh()

    def interrupt(
        self, instance_id: str, *, after: float | None = None, notice: bool = True
    ) -> dict[str, Any]:
        """The spot machine is interrupted for want of capacity; LocalError if it cannot be.

        With notice the default is two minutes; without, the plug is pulled now.
        """
        seconds = (NOTICE_SECONDS if notice else 0.0) if after is None else after
        if seconds < 0:
            raise LocalError(f"{after} seconds from now is over")
        with self._lock:
            backend, instance = self._find(instance_id)
            backend.lifecycle.refresh()
            coming = backend.spot.interruptions.order(
                instance, "no-capacity", after=seconds, notice=notice
            )
            return _described(coming)

    def recommend(self, instance_id: str) -> None:
        """The spot machine is told that an interruption is likely; LocalError."""
        with self._lock:
            backend, instance = self._find(instance_id)
            backend.spot.interruptions.recommend(instance)

    def clock(self, *, skip: float = 0.0, speed: float | None = None) -> dict[str, Any]:
        """So many seconds have passed, and time runs so fast; what follows has happened.

        The answer has now, ahead (seconds) and speed. LocalError.
        """
        clock = self._room.clock
        if not isinstance(clock, Clock):
            raise LocalError("this clock is somebody else's")
        if not 0 <= skip < _LONGEST or not (speed is None or 0 < speed <= _FASTEST):
            raise LocalError(
                f"skip={skip}, speed={speed}: time goes forward, by a hundred years at most",
                hint=f"a speed of {_FASTEST:g} at most",
            )
        with self._lock:
            clock.advance(skip)
            if speed is not None:
                clock.hurry(speed)
            self._refresh()
        now = datetime.fromtimestamp(clock(), UTC)
        return {
            "now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ahead": round(clock.ahead, 1),
            "speed": clock.speed,
        }

    def refuse(self, action: str, kind: str | None, *, times: int | None = None) -> None:
        """The account may not call it, such as pricing:GetProducts, or not so fast. LocalError.

        `times` is for how often, None for always; `kind` None: it may again.
        """
        checks.choice("refusal", kind or KINDS[0], KINDS)
        with self._lock:
            self._room.refusals.decide(action, next((k for k in KINDS if k == kind), None), times)

    def tick(self) -> None:
        """What time has brought has happened, without anybody asking the API."""
        with self._lock:
            self._refresh()

    def describe(self) -> dict[str, Any]:
        """What was decided here and holds, as JSON can tell it. Waits for nobody."""
        capacity, prices = self._room.capacity, self._room.prices
        clock = self._room.clock
        return {
            "clock": {"ahead": round(clock.ahead, 1), "speed": clock.speed}
            if isinstance(clock, Clock)
            else {},
            "capacity": [asdict(rule) for rule in capacity.rules],
            "interruptions": [
                _described(one)
                for backend in self._regions()
                for one in backend.spot.interruptions.coming
            ],
            "prices": [
                {**asdict(one), "at": one.at.isoformat(), "dollars": str(one.dollars)}
                for one in prices.current()
            ],
            "quotas": [
                {"market": market, "family": family, "vcpus": most}
                for (market, family), most in capacity.quotas.items()
            ],
        }

    def _regions(self) -> Iterator[Ec2]:
        for account in list(self._backends.values()):  # a client may add a region meanwhile
            yield from list(account.values())

    def _find(self, instance_id: str) -> tuple[Ec2, Any]:
        for backend in self._regions():
            for instance in backend.all_instances():
                if instance.id == instance_id:
                    return backend, instance
        raise LocalError(f"there is no instance {instance_id!r}")

    def _refresh(self) -> None:
        for backend in self._regions():
            backend.lifecycle.refresh()
            backend.lifecycle.push()


def _described(coming: Interruption) -> dict[str, Any]:
    return {
        "instance_id": coming.instance.id,
        "action": coming.action,
        "cause": coming.cause,
        "notice": coming.notice_at is not None,
        "at": datetime.fromtimestamp(coming.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
