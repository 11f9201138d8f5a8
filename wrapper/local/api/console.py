"""GetConsoleOutput as documented.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html: without `Latest`,
what was posted shortly after the last transition (start, stop, reboot, terminate); with it, as it
is now, on types of the Nitro system only. 64 KB either way.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.local.machines import Machines

KEPT: Final = 64 * 1024
POSTED_AFTER: Final = 120.0
"""Seconds from a transition to its post. AWS says "shortly after"; minutes are what people see."""


class Consoles:
    """What the consoles of one account and region showed when it was last posted."""

    def __init__(self, machines: Machines, clock: Callable[[], float] = time.monotonic) -> None:
        self._machines = machines
        self._clock = clock
        self._transitions: dict[str, float] = {}
        self._posts: dict[str, tuple[float, bytes]] = {}

    def transition(self, instance_id: str) -> None:
        """A post is due some time from now."""
        self._transitions[instance_id] = self._clock()

    def output(self, instance: Any, *, latest: bool) -> bytes:
        """The console's end, at most 64 KB; empty when nothing was posted yet."""
        if latest:
            if INSTANCE_TYPES[instance.instance_type].get("Hypervisor") != "nitro":
                raise EC2ClientError(
                    "UnsupportedOperation",
                    "This instance type does not support retrieving the latest console logs. "
                    "Supported only on Nitro instance types.",
                )
            return self._machines.console(instance.id)[-KEPT:]
        return self._posted(instance.id)

    def _posted(self, instance_id: str) -> bytes:
        changed = self._transitions.get(instance_id, self._clock())
        posted, output = self._posts.get(instance_id, (float("-inf"), b""))
        if posted < changed and self._clock() - changed >= POSTED_AFTER:
            output = self._machines.console(instance_id)[-KEPT:]
            self._posts[instance_id] = (self._clock(), output)
        return output
