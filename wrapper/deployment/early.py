"""A notebook verified as soon as it answers, while Terraform waits on for what is beside it.

The AWS provider waits some 20 s for a volume's attachment, whatever the machine does meanwhile:
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/wait.go
"""

from __future__ import annotations

import dataclasses
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.deployment import verify
from wrapper.deployment.events import Note
from wrapper.deployment.world import Address
from wrapper.errors import (
    AwsError,
    CloudsError,
    FingerprintError,
    KernelError,
    LoginError,
    NoAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrapper.aws import Aws
    from wrapper.deployment.events import Event
    from wrapper.deployment.progress import Meter
    from wrapper.deployment.watch import Watch
    from wrapper.deployment.world import World
    from wrapper.home import Home
    from wrapper.notebook import Pin

EVERY = 0.25
"""Seconds between tries."""
ASK_EVERY = 2.0
"""Seconds between questions to EC2's API, which counts them: where the machine is to be found.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""
TIMEOUT = 2.0
"""Seconds for one: before the notebook is up, its address may swallow what is sent."""


@dataclass(frozen=True)
class Verified:
    """A notebook that answered, logged in and computed."""

    instance_id: str
    where: Address
    pin: Pin
    told: list[Event]


class Early:
    """What was verified so far, if anything."""

    def __init__(self) -> None:
        self._verified: Verified | None = None

    def pin(self, instance_id: str, where: Address) -> Pin | None:
        """The pin of that machine's notebook at that address, when it was verified already."""
        found = self._verified
        same = found is not None and (found.instance_id, found.where) == (instance_id, where)
        return found.pin if found and same else None

    @contextmanager
    def in_background(
        self, world: World, home: Home, aws: Aws, watch: Watch, meter: Meter
    ) -> Iterator[None]:
        """Verified by a thread; what fails for good is left to whoever verifies it afterwards."""
        over, lock = threading.Event(), threading.Lock()
        abandoned = False
        whereabouts = _Whereabouts(aws)

        def go_on() -> None:
            found = _wait(lambda: _verify(world, home, whereabouts, watch), over)
            with lock:
                if found is None or abandoned:
                    return
                self._verified = found
                meter.mark("answering")
                for event in found.told:
                    world.report(event)
                world.report(Note(f"It answers at {found.where.url}, and Terraform goes on."))

        thread = threading.Thread(target=go_on, name="early", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            with lock:  # nothing is told after the failure, and nothing waited for
                abandoned = True
            raise
        finally:
            over.set()
        thread.join()


def _wait(verify_now: Callable[[], Verified | None], over: threading.Event) -> Verified | None:
    """What was verified; None when it is over, or failed for good."""
    while not over.wait(EVERY):
        try:
            found = verify_now()
        except (FingerprintError, LoginError, KernelError):
            return None
        except (NoAnswerError, AwsError):
            continue
        except CloudsError:
            return None
        else:
            if found:
                return found
    return None


class _Whereabouts:
    """Machines' addresses, asked for again now and then: the elastic one comes later."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._known: tuple[str, str | None, float] | None = None

    def of(self, instance_id: str) -> str | None:
        """Its address; None while it has none. AwsError."""
        now, known = time.monotonic(), self._known
        if known is None or known[0] != instance_id or now - known[2] >= ASK_EVERY:
            found = self._aws.instance(instance_id)
            self._known = known = (instance_id, found.public_ip if found else None, now)
        return known[1]


def _verify(world: World, home: Home, whereabouts: _Whereabouts, watch: Watch) -> Verified | None:
    """The notebook of the newest machine; None while there is nothing to ask."""
    instance_id, boot = watch.instance_id, watch.boot
    if instance_id is None or boot is None or boot.fingerprint is None:
        return None
    public_ip = whereabouts.of(instance_id)
    if not public_ip:
        return None
    told: list[Event] = []
    quiet = dataclasses.replace(world, report=told.append)
    where = Address(public_ip, domain=home.variables().get("domain"))
    key = boot.fingerprint.key_sha256
    pin = world.look_whose(where, key, timeout=TIMEOUT)
    told += [verify.shown(key), verify.pinned(pin)]
    verify.log_in_and_compute(quiet, home, where, pin)
    return Verified(instance_id, where, pin, told)
