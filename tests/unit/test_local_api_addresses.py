"""Elastic and automatic addresses of the embedded EC2."""

from __future__ import annotations

import ipaddress
from typing import Any

from tests.unit.local_api import Machines, account, describe, ec2, machines, refusal, run, wait_for

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here

BENCHMARKING = ipaddress.ip_network("198.18.0.0/15")


def test_addresses_are_of_the_range_that_nobody_routes_and_never_given_twice(ec2: Any) -> None:
    first = ec2.allocate_address(Domain="vpc")
    ec2.release_address(AllocationId=first["AllocationId"])
    second = ec2.allocate_address(Domain="vpc")
    automatic = describe(ec2, run(ec2))["PublicIpAddress"]

    given = [first["PublicIp"], second["PublicIp"], automatic]
    assert len(set(given)) == 3
    assert all(ipaddress.ip_address(one) in BENCHMARKING for one in given)


def test_a_sixth_elastic_address_is_refused(ec2: Any) -> None:
    for _ in range(5):
        ec2.allocate_address(Domain="vpc")

    assert refusal(lambda: ec2.allocate_address(Domain="vpc"))[0] == "AddressLimitExceeded"


def test_a_pending_instance_is_refused_an_address(ec2: Any) -> None:
    address = ec2.allocate_address(Domain="vpc")
    instance = run(ec2)

    code, message = refusal(
        lambda: ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
    )

    assert code == "InvalidInstanceID"
    assert message.startswith(f"The pending instance '{instance}' is not in a valid state")


def test_an_elastic_address_takes_the_automatic_ones_place_and_stays_through_a_stop(
    ec2: Any, machines: Machines
) -> None:
    address = ec2.allocate_address(Domain="vpc")
    instance = run(ec2)
    automatic = wait_for(ec2, instance, "running")["PublicIpAddress"]
    assert machines.addresses[instance] == automatic

    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
    assert machines.addresses[instance] == address["PublicIp"]

    ec2.stop_instances(InstanceIds=[instance])
    assert wait_for(ec2, instance, "stopped")["PublicIpAddress"] == address["PublicIp"]
    ec2.start_instances(InstanceIds=[instance])
    assert wait_for(ec2, instance, "running")["PublicIpAddress"] == address["PublicIp"]
    assert machines.addresses[instance] == address["PublicIp"]


def test_an_automatic_address_goes_with_a_stop_and_another_comes_with_the_start(
    ec2: Any, machines: Machines
) -> None:
    instance = run(ec2)
    before = wait_for(ec2, instance, "running")["PublicIpAddress"]

    ec2.stop_instances(InstanceIds=[instance])
    assert "PublicIpAddress" not in wait_for(ec2, instance, "stopped")
    assert machines.addresses[instance] is None
    ec2.start_instances(InstanceIds=[instance])
    after = wait_for(ec2, instance, "running")["PublicIpAddress"]

    assert after != before
    assert machines.addresses[instance] == after


def test_a_terminated_instance_gives_its_elastic_address_back_unassociated(ec2: Any) -> None:
    address = ec2.allocate_address(Domain="vpc")
    instance = run(ec2)
    wait_for(ec2, instance, "running")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)

    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")

    (left,) = ec2.describe_addresses()["Addresses"]
    assert "AssociationId" not in left or not left["AssociationId"]
    ec2.release_address(AllocationId=address["AllocationId"])
