"""Instances follow their machines; machines follow what the API decides about the network.

States and which of them allow what:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceState, StateReason

from wrapper.errors import LocalError
from wrapper.local.api.network import ingress_rules
from wrapper.local.machines import MachineSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.local.api.backend import Ec2
    from wrapper.local.api.capacity import Market
    from wrapper.local.machines import Machines, State

CODES: Final[dict[State, int]] = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
FROM_OUTSIDE: Final = ("Client.UserInitiatedShutdown", "User initiated shutdown")
INTERRUPTED: Final = {
    "stop": ("Server.SpotInstanceShutdown", "Stopped due to spot instance interruption"),
    "terminate": ("Server.SpotInstanceTermination", "Terminated due to spot instance interruption"),
}
FROM_INSIDE: Final = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")


class Lifecycle:
    """The instances of one account and region, kept in step with their machines."""

    def __init__(self, backend: Ec2, machines: Machines) -> None:
        self._backend = backend
        self._machines = machines
        self._pushed: dict[str, tuple[object, object, object]] = {}
        self._settled: dict[str, State] = {}

    def launch(self, instance: Any) -> None:
        """A machine boots for the instance; EC2ClientError if the host refuses."""
        spec = machine_spec(self._backend, instance)
        try:
            self._machines.launch(spec)
        except LocalError as error:
            instance.terminate()
            what_helps = f" ({error.hint})" if error.hint else ""
            raise EC2ClientError(
                "InsufficientHostCapacity", f"{error.message}{what_helps}"
            ) from error
        self._pushed[instance.id] = (spec.public_ip, spec.ingress, None)
        self._enter(instance, "pending")

    def start(self, instance: Any) -> None:
        """A stopped instance is pending again, with a new automatic address if it has one."""
        if instance.state == "running":
            return
        if instance.state != "stopped":
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be started.",
            )
        backend = self._backend
        backend.spot.check_startable(instance)
        market: Market = "spot" if instance.lifecycle == "spot" else "on-demand"
        if market == "on-demand":
            backend.check_quota(instance.instance_type, market)
        backend.room.capacity.check(instance.availability_zone, instance.instance_type, market)
        self.power_on(instance)

    def power_on(self, instance: Any) -> None:
        """A stopped instance is pending again, whoever decided it."""
        instance.start()
        instance.launch_time = utcnow()
        self._settled.pop(instance.id, None)
        self._machines.set_notice(instance.id, None)
        # Before it boots, so that nothing on the machine ever sees the address of its last run.
        self._push(instance)
        self._machines.start(instance.id)
        self._enter(instance, "pending")
        self._backend.spot.started(instance)

    def stop(self, instance: Any, *, force: bool = False) -> None:
        """A running instance is stopping."""
        if instance.state in ("stopping", "stopped"):
            return
        if instance.state != "running":
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"This instance '{instance.id}' is not in a state from which it can be stopped.",
            )
        self._backend.spot.check_stoppable(instance)
        self._backend.spot.stopping(instance)
        self._machines.stop(instance.id, force=force)
        self._enter(instance, "stopping", FROM_OUTSIDE)

    def reboot(self, instance: Any) -> None:
        """A running instance restarts and keeps its addresses."""
        if instance.state != "running":
            raise EC2ClientError(
                "IncorrectInstanceState", f"The instance '{instance.id}' is not in 'running' state."
            )
        self._machines.reboot(instance.id)
        self._backend.consoles.transition(instance.id)

    def terminate(
        self, instance: Any, reason: tuple[str, str] = FROM_OUTSIDE, *, force: bool = False
    ) -> None:
        """The instance is shutting down for good."""
        if instance.state not in ("shutting-down", "terminated"):
            self._machines.terminate(instance.id, force=force)
            self._enter(instance, "shutting-down", reason)

    def interrupt(self, instance: Any, action: str, *, force: bool) -> None:
        """EC2 takes a running spot instance away; forced, the machine is not asked to shut down."""
        self._backend.record("BidEvictedEvent", [instance], "ec2.amazonaws.com")
        if action == "terminate":
            self.terminate(instance, INTERRUPTED[action], force=force)
            return
        if action == "hibernate" and not force:
            self._machines.hibernate(instance.id)
        else:
            self._machines.stop(instance.id, force=force)
        self._enter(instance, "stopping", INTERRUPTED["stop"])

    def refresh(self) -> None:
        """Every instance's state is its machine's; what follows from a change has happened."""
        self._backend.room.schedules.carry_out(self._backend)
        for instance in list(self._living()):
            self._observe(instance)
        self._backend.refresh_volumes()
        self._backend.refresh_snapshots()
        self._backend.refresh_images()
        self._backend.spot.refresh()

    def push(self) -> None:
        """Every machine has the address, the rules and the role that its instance has now."""
        for instance in self._living():
            self._push(instance)

    def _living(self) -> Iterator[Any]:
        for instance in self._backend.all_instances():
            if instance.state != "terminated" and instance.id in self._pushed:
                yield instance

    def _observe(self, instance: Any) -> None:
        try:
            state = self._machines.state(instance.id)
        except KeyError:  # the room lost it: a crash that its clean-up survived
            state = "terminated"
        if state != instance.state:
            asked = instance.state in ("stopping", "shutting-down")
            self._enter(
                instance, state, None if asked or state == "running" else self._why(instance.id)
            )
        if state in ("stopped", "terminated") and self._settled.get(instance.id) != state:
            self._settled[instance.id] = state
            if state == "stopped":
                self._stopped(instance)
            else:
                self._terminated(instance)

    def _why(self, instance_id: str) -> tuple[str, str]:
        try:
            failure = self._machines.failure(instance_id)
        except KeyError:
            failure = ""
        return ("Server.InternalError", failure) if failure else FROM_INSIDE

    def _stopped(self, instance: Any) -> None:
        for nic in instance.nics.values():
            nic.stop()
        from_inside = instance.state_reason.code == FROM_INSIDE[0]
        if from_inside and instance.instance_initiated_shutdown_behavior == "terminate":
            self.terminate(instance, FROM_INSIDE)
            return
        self._backend.spot.stopped(instance)

    def _terminated(self, instance: Any) -> None:
        reason = instance.state_reason
        for address in self._backend.addresses:
            if address.instance is instance or address.eni in instance.nics.values():
                self._backend.disassociate_address(address=address.public_ip)
        self._backend.release(instance)
        instance.terminate()
        instance.state_reason = reason
        self._pushed.pop(instance.id, None)
        self._backend.spot.terminated(instance)

    def _enter(self, instance: Any, state: State, reason: tuple[str, str] | None = None) -> None:
        instance._state = InstanceState(state, CODES[state])  # noqa: SLF001 - moto has no setter
        if reason is not None:
            code, words = reason
            instance.state_reason = StateReason(f"{code}: {words}", code)
            who = "Service" if code.startswith("Server.") else "User"
            # Of a shutdown from inside EC2 gives no time:
            # https://github.com/cloud-custodian/cloud-custodian/issues/6924
            at = "" if reason is FROM_INSIDE else f" ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"
            instance._reason = f"{who} initiated{at}"  # noqa: SLF001 - likewise
        self._backend.consoles.transition(instance.id)

    def _push(self, instance: Any) -> None:
        address, rules, role = self._pushed[instance.id]
        new_address, new_rules = instance.public_ip, ingress_rules(self._backend, instance)
        new_role = self._backend.role_of(instance.id)
        self._pushed[instance.id] = (new_address, new_rules, new_role)
        if new_role != role:
            self._machines.set_role(instance.id, new_role)
        if new_rules != rules:
            self._machines.set_ingress(instance.id, new_rules)
        if new_address != address:
            self._machines.set_public_address(instance.id, new_address)


def machine_spec(backend: Ec2, instance: Any) -> MachineSpec:
    """What the machine room has to know to boot the instance."""
    image = backend.describe_images(ami_ids=[instance.image_id])[0]
    nic = instance.nics[0]
    root = instance.block_device_mapping[image.root_device_name]
    keys = [backend.key_pairs[instance.key_name].public_key] if instance.key_name else []
    return MachineSpec(
        instance_id=instance.id,
        image=instance.machine_image,
        architecture=str(image.architecture),
        instance_type=instance.instance_type,
        memory_mib=INSTANCE_TYPES[instance.instance_type]["MemoryInfo"]["SizeInMiB"],
        private_ip=nic.private_ip_address,
        mac=nic.mac_address,
        subnet_cidr=nic.subnet.cidr_block,
        vpc_cidr=backend.get_vpc(nic.subnet.vpc_id).cidr_block,
        region=backend.region_name,
        zone=instance.availability_zone,
        account_id=backend.account_id,
        ami_id=instance.image_id,
        root_gib=int(root.size),
        user_data=base64.b64decode(str(instance.user_data)) if instance.user_data else b"",
        public_keys=tuple(key.strip() for key in keys),
        security_groups=tuple(sorted(group.name for group in nic.group_set)),
        lifecycle="spot" if instance.lifecycle == "spot" else "on-demand",
        public_ip=instance.public_ip,
        ingress=ingress_rules(backend, instance),
        root_snapshot=instance.root_snapshot,
    )
