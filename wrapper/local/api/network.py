"""Addresses, interfaces and who is let in.

Elastic and automatic addresses: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html
(an automatic address is released when the instance stops or an Elastic IP takes its place; an
Elastic IP stays through stops). Security groups are allow lists, all of an interface's groups
together: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from wrapper.local.machines import IngressRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.local.api.backend import Ec2

ADDRESSES_PER_REGION: Final = 5
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html#using-instance-addressing-limit"""


class AddressPool:
    """Public addresses of all regions, out of 198.18.0.0/15, none given twice."""

    def __init__(self) -> None:
        # Elastic and automatic ones apart, so that a person can tell them at a glance.
        self._elastic = IPv4Address("198.18.0.9")
        self._automatic = IPv4Address("198.19.0.9")

    def elastic(self) -> str:
        """An address never given before, for an Elastic IP."""
        self._elastic = _next(self._elastic)
        return str(self._elastic)

    def automatic(self) -> str:
        """An address never given before, for one run of one instance."""
        self._automatic = _next(self._automatic)
        return str(self._automatic)


def _next(address: IPv4Address) -> IPv4Address:
    following = address + 1
    while following.packed[-1] in (0, 255):
        following += 1
    return following


class Interface(NetworkInterface):
    """Its automatic address comes from the pool and yields to an elastic one."""

    @property
    def elastic_address(self) -> Any:
        """The Elastic IP associated with it, or None."""
        return next((one for one in self.ec2_backend.addresses if one.eni is self), None)

    def check_auto_public_ip(self) -> None:
        if str(self.public_ip_auto_assign).lower() == "true":
            self.public_ip = self.ec2_backend.room.addresses.automatic()

    def start(self) -> None:
        if self.elastic_address is None:
            super().start()

    def stop(self) -> None:
        if self.elastic_address is None:
            self.public_ip = None


def check_address_quota(backend: Ec2) -> None:
    """One more Elastic IP is allowed; EC2ClientError otherwise."""
    if len(backend.addresses) >= ADDRESSES_PER_REGION:
        raise EC2ClientError(
            "AddressLimitExceeded", "The maximum number of addresses has been reached."
        )


def check_associable(instance: Any) -> None:
    """The instance may be given an Elastic IP now; EC2ClientError otherwise.

    EC2 refuses while it is pending: https://github.com/hashicorp/terraform-provider-aws/issues/21228
    """
    if instance.state == "pending":
        raise EC2ClientError(
            "InvalidInstanceID",
            f"The pending instance '{instance.id}' is not in a valid state for this operation.",
        )
    if instance.state in ("shutting-down", "terminated"):
        raise EC2ClientError(
            "InvalidInstanceID",
            f"The instance '{instance.id}' is not in a valid state for this operation.",
        )


def check_group_unused(backend: Ec2, group_id: str) -> None:
    """No interface is in the group; EC2ClientError (DependencyViolation) otherwise."""
    for interface in backend.enis.values():
        if any(group.id == group_id for group in interface.group_set):
            raise EC2ClientError(
                "DependencyViolation", f"resource {group_id} has a dependent object"
            )


def ingress_rules(backend: Ec2, instance: Any) -> tuple[IngressRule, ...]:
    """All that the instance's security groups let in, sorted, no rule twice."""
    groups = {group.id: group for nic in instance.nics.values() for group in nic.group_set}
    rules = {
        IngressRule(
            protocol=rule.ip_protocol,
            from_port=0 if rule.from_port is None else rule.from_port,
            to_port=65535 if rule.to_port is None else rule.to_port,
            cidr=cidr,
        )
        for group in groups.values()
        for rule in group.ingress_rules
        for cidr in _sources(backend, rule)
    }
    return tuple(
        sorted(rules, key=lambda rule: (rule.protocol, rule.from_port, rule.to_port, rule.cidr))
    )


def _sources(backend: Ec2, rule: Any) -> Iterator[str]:
    if rule.cidr_ipv4:
        yield rule.cidr_ipv4
    if rule.cidr_ipv6:
        yield rule.cidr_ipv6
    source = (rule.source_group or {}).get("GroupId")
    if source:
        for interface in backend.enis.values():
            if any(group.id == source for group in interface.group_set):
                yield f"{interface.private_ip_address}/32"
