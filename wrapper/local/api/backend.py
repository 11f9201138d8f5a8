"""EC2 of one account and region: moto's, with launches, states and spot requests of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.utils import parse_user_data

from wrapper.local.api.console import Consoles
from wrapper.local.api.images import CATALOGUE, Image
from wrapper.local.api.launch import block_devices, check_launch
from wrapper.local.api.lifecycle import Lifecycle
from wrapper.local.api.network import (
    AddressPool,
    Interface,
    check_address_quota,
    check_group_unused,
)
from wrapper.local.api.snapshots import SnapshotStore
from wrapper.local.api.spot import SpotMarket, SpotRequest
from wrapper.local.api.volumes import VolumeStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wrapper.local.machines import Machines


@dataclass(frozen=True)
class Room:
    """What the regions share."""

    machines: Machines
    addresses: AddressPool = field(default_factory=AddressPool)


class Ec2(VolumeStore, SnapshotStore, EC2Backend):
    """The backend behind one region's actions. Not thread-safe: actions.py holds the lock."""

    def __init__(self, region_name: str, account_id: str, *, room: Room) -> None:
        self.room = room
        self.consoles = Consoles(room.machines)
        self.lifecycle = Lifecycle(self, room.machines)
        self.spot = SpotMarket(self, self._launch_spot)
        super().__init__(region_name, account_id)

    def _load_amis(self) -> None:
        for entry in CATALOGUE:
            image = Image(self, entry)
            self.amis[image.id] = image

    def run_instances(
        self,
        image_id: str,
        count: int,
        user_data: Any,
        security_group_names: list[str],
        **kwargs: Any,
    ) -> Any:
        subnet = check_launch(self, image_id=image_id, user_data=user_data, request=kwargs)
        if not kwargs.get("nics"):
            kwargs["subnet_id"] = subnet.id
        image = self.describe_images(ami_ids=[image_id])[0]
        asked = kwargs.get("block_device_mappings", [])
        kwargs["block_device_mappings"] = block_devices(image, asked)
        kwargs["metadata_options"] = _metadata_options(image, kwargs.get("metadata_options") or {})
        reservation = super().run_instances(
            image_id, count, user_data, security_group_names, **kwargs
        )
        for instance in reservation.instances:
            self._finish(instance, kwargs)
            self.lifecycle.launch(instance)
            self.attach_at_launch(instance)
        return reservation

    def _finish(self, instance: Any, kwargs: Mapping[str, Any]) -> None:
        asked = {one["DeviceName"]: one["Ebs"] for one in kwargs["block_device_mappings"]}
        for device, block in instance.block_device_mapping.items():
            volume = self.get_volume(block.volume_id)
            if volume.volume_type == "gp3":
                volume.iops = asked[device].get("Iops") or volume.iops
                volume.throughput = asked[device].get("Throughput") or volume.throughput
            block.size = volume.size
        given = {nic.get("NetworkInterfaceId") for nic in kwargs.get("nics") or []}
        for nic in instance.nics.values():
            # Interfaces made by a launch go with it, https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
            nic.delete_on_termination = nic.id not in given
        instance.security_groups = list(instance.nics[0].group_set)
        instance.instance_lifecycle = "spot" if instance.lifecycle == "spot" else None

    def _launch_spot(self, request: SpotRequest) -> Any:
        wanted = request.specification
        reservation = self.run_instances(
            wanted["ImageId"],
            1,
            parse_user_data(wanted.get("UserData")),
            list(wanted.get("SecurityGroups") or []),
            instance_type=wanted.get("InstanceType", "m1.small"),
            is_instance_type_default=False,
            region_name=self.region_name,
            placement=(wanted.get("Placement") or {}).get("AvailabilityZone"),
            subnet_id=wanted.get("SubnetId"),
            key_name=wanted.get("KeyName"),
            security_group_ids=list(wanted.get("SecurityGroupIds") or []),
            nics=[dict(nic) for nic in wanted.get("NetworkInterfaces") or []],
            associate_public_ip=None,
            block_device_mappings=list(wanted.get("BlockDeviceMappings") or []),
            ebs_optimized=bool(wanted.get("EbsOptimized")),
            lifecycle="spot",
        )
        return reservation.instances[0]

    def start_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        return self._each(instance_ids, self.lifecycle.start)

    def stop_instances(
        self, instance_ids: list[str], *, force: bool = False
    ) -> list[tuple[Any, Any]]:
        return self._each(instance_ids, lambda one: self.lifecycle.stop(one, force=force))

    def terminate_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        return self._each(instance_ids, self.lifecycle.terminate)

    def reboot_instances(self, instance_ids: list[str]) -> list[Any]:
        return [one for one, _ in self._each(instance_ids, self.lifecycle.reboot)]

    def _each(self, instance_ids: Sequence[str], act: Any) -> list[tuple[Any, Any]]:
        done = []
        for instance in self.get_multi_instances_by_id(list(instance_ids)):
            before = instance.instance_state
            act(instance)
            done.append((instance, before))
        return done

    def modify_instance_attribute(self, instance_id: str, key: str, value: Any) -> Any:
        instance = self.get_instance(instance_id)
        if key == "instance_type" and instance.state != "stopped":
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"The instance '{instance_id}' is not in the 'stopped' state.",
            )
        if key == "instance_type" and instance.lifecycle == "spot":
            raise EC2ClientError(
                "UnsupportedOperation",
                "The instance type of a Spot Instance cannot be changed.",
            )
        return super().modify_instance_attribute(instance_id, key, value)

    def create_network_interface(
        self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any
    ) -> Any:
        # Abstract on paper only: moto makes its own in the same way.
        interface = Interface(self, subnet, private_ip_address, *args, **kwargs)  # type: ignore[abstract]
        self.enis[interface.id] = interface
        return interface

    def allocate_address(
        self, domain: str, address: str | None = None, tags: dict[str, str] | None = None
    ) -> Any:
        check_address_quota(self)
        chosen = address or self.room.addresses.elastic()
        return super().allocate_address(domain or "vpc", address=chosen, tags=tags)

    def authorize_security_group_ingress(self, *args: Any, **kwargs: Any) -> Any:
        rules, group = super().authorize_security_group_ingress(*args, **kwargs)
        for rule in rules:
            # moto knows descriptions of address ranges only.
            if rule.source_group.get("Description"):
                rule.ip_range = {"Description": rule.source_group["Description"]}
        return rules, group

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        if group_id:
            check_group_unused(self, group_id)
        super().delete_security_group(name, group_id)

    def all_reservations(self, filters: Any = None) -> list[Any]:
        known, extra = _split_filters(filters or {})
        reservations = super().all_reservations(known)
        for name, values in extra.items():
            for reservation in reservations:
                reservation.instances = [
                    one for one in reservation.instances if _extra(one, name) in values
                ]
        return [one for one in reservations if one.instances]

    def get_reservations_by_instance_ids(
        self, instance_ids: list[str], filters: Any = None
    ) -> list[Any]:
        found = self.all_reservations({**(filters or {}), "instance-id": instance_ids})
        known = {one.id for one in self.all_instances()}
        unknown = [one for one in instance_ids if one not in known]
        if unknown:
            raise InvalidInstanceIdError(unknown)
        return found


EXTRA_FILTERS = {
    "instance-lifecycle": "lifecycle",
    "instance-state-code": "state_code",
    "spot-instance-request-id": "spot_instance_request_id",
}
"""Filters of DescribeInstances that moto lacks, and where an instance keeps the value."""


def _split_filters(filters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    known = {name: values for name, values in filters.items() if name not in EXTRA_FILTERS}
    extra = {name: values for name, values in filters.items() if name in EXTRA_FILTERS}
    return known, extra


def _extra(instance: Any, name: str) -> str:
    return str(getattr(instance, EXTRA_FILTERS[name], None))


def _metadata_options(image: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the image says, unless the launch says otherwise.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html#configure-IMDS-new-instances-ami-configuration
    """
    by_image = (
        {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
        if getattr(image, "imds_support", None) == "v2.0"
        else {}
    )
    return {**by_image, **asked}
