"""A machine's address and data volume, given to it as soon as it runs.

The AWS provider first looks after a machine ten seconds after it asked for it, and waits as long
again before it attaches a volume; the machine waits for both meanwhile. What is there already it
takes as done, but not at any moment:

- It looks for an attachment when it has the machine. One that comes after that is its failure.
  https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/ebs_volume_attachment.go
- A new volume has to become available before it is anything else, or it counts as broken.
  https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/wait.go
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from wrapper.deployment.question import MACHINE_TYPES
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wrapper.aws import Aws, Instance
    from wrapper.terraform import Applying

DEVICE = "/dev/sdf"
"""As in data.tf."""
EVERY = 0.5
"""Seconds between looks."""
_NEW = timedelta(seconds=30)


class Hands:
    """Of one `up`, beside Terraform; whatever fails is left to Terraform."""

    def __init__(
        self, aws: Aws, name: str, *, volume_id: str | None = None, ignore: Collection[str] = ()
    ) -> None:
        """`volume_id`: one that Terraform takes over. `ignore`: machines of before."""
        self.attached: str | None = None
        """The volume that was attached here."""
        self._taken_over = volume_id
        self._aws, self._name, self._ignore = aws, name, frozenset(ignore)
        self._begun = threading.Event()
        self._handed_over = threading.Event()
        self._volume: Literal["before", "being made", "made"] = "before"
        self._request = False
        self._addressed = False

    def heard(self, step: Applying) -> None:
        """Terraform's own steps say what may be done beside it."""
        self._begun.set()
        if step.action == "delete":
            return
        if step.type in MACHINE_TYPES:
            self._request = step.type == "aws_spot_instance_request"
            if step.state == "done":
                self._handed_over.set()
        if step.type == "aws_ebs_volume":
            self._volume = "made" if step.state == "done" else "being made"

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """At work, by a thread, as long as Terraform is; while that plans, nothing can be new."""
        over = threading.Event()

        def go_on() -> None:
            self._begun.wait()
            while not over.wait(EVERY):
                try:
                    if self.help():
                        return
                except CloudsError:
                    continue

        thread = threading.Thread(target=go_on, name="hands", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            self._begun.set()  # nothing has to begin any more
            thread.join()

    def help(self) -> bool:
        """What could be given now was given; whether nothing is left to give. AwsError."""
        machine = self._machine()
        if machine is None:
            return False
        self._attach(machine)
        if not self._addressed and (address := self._aws.free_address(self._name)):
            self._aws.associate(address, machine.instance_id)
            self._addressed = True
        return self._addressed and (self.attached is not None or self._handed_over.is_set())

    def _machine(self) -> Instance | None:
        found = [
            one
            for one in self._aws.find_instances(self._name)
            if one.instance_id not in self._ignore
        ]
        return found[0] if len(found) == 1 and found[0].state == "running" else None

    def _attach(self, machine: Instance) -> None:
        if self.attached or not self._may_attach:
            return
        mine = [
            one
            for one in self._aws.find_volumes(self._name)
            if one.deployment == self._name and one.zone == machine.zone
        ]
        # Of several, Terraform alone knows which. And a new one may be known here before the step
        # that makes it is heard.
        if len(mine) != 1 or mine[0].state != "available" or not self._may_attach:
            return
        new = datetime.now(UTC) - mine[0].created_at < _NEW
        if self._volume == "before" and new and mine[0].volume_id != self._taken_over:
            return
        self._aws.attach(mine[0].volume_id, machine.instance_id, DEVICE)
        self.attached = mine[0].volume_id

    @property
    def _may_attach(self) -> bool:
        if self._handed_over.is_set() or self._volume == "being made":
            return False
        # A request is fulfilled, and the volume available, in the same moment.
        return self._volume == "before" or not self._request
