"""EC2 of one account and region: moto's, with launches, states and spot requests of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError
from moto.ec2.models import EC2Backend

from wrapper.local.api.attaching import AttachingStore
from wrapper.local.api.capacity import family, vcpus
from wrapper.local.api.console import Consoles
from wrapper.local.api.images import CATALOGUE, Image
from wrapper.local.api.launch import block_devices, check_launch, metadata_options
from wrapper.local.api.lifecycle import Lifecycle
from wrapper.local.api.network import (
    Interface,
    check_address_quota,
    check_group_unused,
)
from wrapper.local.api.own_images import OwnImages
from wrapper.local.api.roles import ProfileStore
from wrapper.local.api.spot import SpotMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wrapper.local.api.capacity import Market
    from wrapper.local.api.room import Room
    from wrapper.local.api.spot_request import SpotRequest


class Ec2(AttachingStore, OwnImages, ProfileStore, EC2Backend):
    """The backend behind one region's actions. Not thread-safe: actions.py holds the lock."""

    def __init__(self, region_name: str, account_id: str, *, room: Room) -> None:
        self.room = room
        self.consoles = Consoles(room.machines)
        self.lifecycle = Lifecycle(self, room.machines)
        self.spot = SpotMarket(self, room.clock)
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
        spot = bool(kwargs.get("lifecycle") or kwargs.get("instance_market_options"))
        market: Market = "spot" if spot else "on-demand"
        wanted = kwargs["instance_type"]
        subnet = check_launch(
            self,
            image_id=image_id,
            user_data=user_data,
            request=kwargs,
            prefer=lambda zone: self.room.capacity.has(zone, wanted, market),
        )
        if not kwargs.get("lifecycle"):  # a spot request was counted when it was made
            self.check_quota(wanted, market, count)
        self.room.capacity.check(subnet.availability_zone, wanted, market)
        if not kwargs.get("nics"):
            kwargs["subnet_id"] = subnet.id
        image = self.launchable(image_id)
        asked = kwargs.get("block_device_mappings", [])
        kwargs["block_device_mappings"] = block_devices(image, asked)
        self.check_devices(kwargs["block_device_mappings"], image)
        kwargs["metadata_options"] = metadata_options(image, kwargs.get("metadata_options") or {})
        reservation = super().run_instances(
            image_id, count, user_data, security_group_names, **kwargs
        )
        for instance in reservation.instances:
            self._finish(instance, kwargs)
            self.lifecycle.launch(instance)
            self.attach_at_launch(instance)
        self.record("RunInstances", reservation.instances, "spot.amazonaws.com" if spot else "user")
        return reservation

    def record(self, name: str, instances: Sequence[Any], who: str = "user") -> None:
        """CloudTrail tells of it from now on."""
        self.room.trail.record(self.region_name, name, [one.id for one in instances], who)

    def _finish(self, instance: Any, kwargs: Mapping[str, Any]) -> None:
        # Kept by the instance: its image may be deregistered.
        image = self.launchable(instance.image_id)
        instance.machine_image, instance.root_snapshot = image.machine_image, image.root_snapshot
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

    def check_quota(self, instance_type: str, market: Market, count: int = 1) -> None:
        """So many more are within the account's quota; EC2ClientError otherwise."""
        if market == "spot":
            using = self.spot.counted()
        else:
            using = [
                one.instance_type
                for one in self.all_instances()
                if one.lifecycle != "spot" and one.state in ("pending", "running")
            ]
        used = sum(vcpus(one) for one in using if family(one) == family(instance_type))
        self.room.capacity.check_quota(instance_type, market, used=used, count=count)

    def check_spot(self, request: SpotRequest, prefer: Callable[[str], bool]) -> Any:
        """The subnet where the request's machine would be; EC2ClientError if it could not be."""
        arguments = request.arguments(self.region_name)
        subnet = check_launch(
            self,
            image_id=request.image_id,
            user_data=request.user_data,
            request=arguments,
            prefer=prefer,
        )
        image = self.launchable(request.image_id)
        block_devices(image, arguments["block_device_mappings"])
        self.check_profile(request)
        return subnet

    def launch_spot(self, request: SpotRequest, zone: str) -> Any:
        """The machine of a request, in that zone."""
        arguments = request.arguments(self.region_name)
        if not arguments["nics"] and not arguments["subnet_id"]:
            arguments["placement"] = zone
        groups = list(request.specification.get("SecurityGroups") or [])
        reservation = self.run_instances(
            request.image_id, 1, request.user_data, groups, **arguments
        )
        self.give_profile(reservation.instances[0], request)
        return reservation.instances[0]

    def start_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        return self._each("StartInstances", instance_ids, self.lifecycle.start)

    def stop_instances(
        self, instance_ids: list[str], *, force: bool = False
    ) -> list[tuple[Any, Any]]:
        return self._each(
            "StopInstances", instance_ids, lambda one: self.lifecycle.stop(one, force=force)
        )

    def terminate_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        return self._each("TerminateInstances", instance_ids, self.lifecycle.terminate)

    def reboot_instances(self, instance_ids: list[str]) -> list[Any]:
        return [
            one for one, _ in self._each("RebootInstances", instance_ids, self.lifecycle.reboot)
        ]

    def _each(self, name: str, instance_ids: Sequence[str], act: Any) -> list[tuple[Any, Any]]:
        done = []
        for instance in self.get_multi_instances_by_id(list(instance_ids)):
            before = instance.instance_state
            act(instance)
            done.append((instance, before))
        self.record(name, [one for one, _ in done])
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
        interface = Interface(self, subnet, private_ip_address, *args, **kwargs)  # type: ignore[abstract] # as said
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
