"""What the embedded EC2's API answers and refuses, beside launches and states."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.local_api import Machines, account, ec2, machines, refusal, run
from wrapper.local.machines import IngressRule

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("describe_instances", {"InstanceIds": ["i-1"]}, "InvalidInstanceID.Malformed"),
        ("describe_instances", {"InstanceIds": ["i-" + "0" * 17]}, "InvalidInstanceID.NotFound"),
        (
            "terminate_instances",
            {"InstanceIds": ["vol-" + "0" * 17]},
            "InvalidInstanceID.Malformed",
        ),
        ("describe_images", {"ImageIds": ["ubuntu"]}, "InvalidAMIID.Malformed"),
        ("describe_images", {"ImageIds": ["ami-" + "0" * 17]}, "InvalidAMIID.NotFound"),
        ("describe_subnets", {"SubnetIds": ["default"]}, "InvalidSubnetID.Malformed"),
        (
            "describe_spot_instance_requests",
            {"SpotInstanceRequestIds": ["sir-00000000"]},
            "InvalidSpotInstanceRequestID.NotFound",
        ),
        (
            "cancel_spot_instance_requests",
            {"SpotInstanceRequestIds": ["request"]},
            "InvalidSpotInstanceRequestID.Malformed",
        ),
        ("describe_scheduled_instances", {}, "InvalidAction"),
    ],
)
def test_ids_and_actions_that_cannot_be_are_refused_as_ec2_does(
    ec2: Any, action: str, parameters: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: getattr(ec2, action)(**parameters))[0] == code


def test_the_console_is_the_machines_at_once_only_where_asked_for_on_nitro(ec2: Any) -> None:
    nitro = run(ec2)
    xen = run(ec2, InstanceType="t2.micro")

    latest = ec2.get_console_output(InstanceId=nitro, Latest=True)["Output"]
    assert len(latest) == 64 * 1024
    assert latest.endswith("the end\n")
    assert "Output" not in ec2.get_console_output(InstanceId=nitro)  # nothing posted yet
    late = refusal(lambda: ec2.get_console_output(InstanceId=xen, Latest=True))
    assert late[0] == "UnsupportedOperation"


def test_spot_prices_are_steady_plausible_and_paged(ec2: Any) -> None:
    wanted = {"InstanceTypes": ["t3.large"], "ProductDescriptions": ["Linux/UNIX"]}

    history = ec2.describe_spot_price_history(**wanted, MaxResults=10)
    again = ec2.describe_spot_price_history(**wanted, MaxResults=10)
    following = ec2.describe_spot_price_history(
        **wanted, MaxResults=10, NextToken=history["NextToken"]
    )

    prices = [float(one["SpotPrice"]) for one in history["SpotPriceHistory"]]
    assert history["SpotPriceHistory"] == again["SpotPriceHistory"]
    assert all(0.02 < price < 0.0832 for price in prices)  # less than on demand
    first, last = history["SpotPriceHistory"][0], following["SpotPriceHistory"][-1]
    assert first["Timestamp"] > last["Timestamp"]


def test_the_newest_price_of_a_zone_is_found_from_now_on(ec2: Any) -> None:
    history = ec2.describe_spot_price_history(
        InstanceTypes=["t3.large"], AvailabilityZone="us-east-1a", StartTime=time.time()
    )["SpotPriceHistory"]

    assert [one["AvailabilityZone"] for one in history] == ["us-east-1a"]


def test_rules_reach_the_machine_at_launch_and_whenever_they_change(
    ec2: Any, machines: Machines
) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    opened = {
        "IpProtocol": "tcp",
        "FromPort": 9999,
        "ToPort": 9999,
        "IpRanges": [{"CidrIp": "198.51.100.7/32"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])
    instance = run(ec2, SecurityGroupIds=[group])
    rule = IngressRule("tcp", 9999, 9999, "198.51.100.7/32")
    assert machines.specs[instance].ingress == (rule,)

    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[opened])
    assert machines.ingress[instance] == ()

    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])
    assert machines.ingress[instance] == (rule,)
    assert refusal(lambda: ec2.delete_security_group(GroupId=group))[0] == "DependencyViolation"


def test_a_rule_for_another_group_means_its_members(ec2: Any, machines: Machines) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ids = [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("notebook", "database")
    ]
    pairs = [{"GroupId": ids[0], "Description": "notebooks"}]
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": pairs}
    ec2.authorize_security_group_ingress(GroupId=ids[1], IpPermissions=[permission])
    notebook = run(ec2, SecurityGroupIds=[ids[0]])

    database = run(ec2, SecurityGroupIds=[ids[1]])

    address = machines.specs[notebook].private_ip
    assert machines.specs[database].ingress == (IngressRule("tcp", 5432, 5432, f"{address}/32"),)
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [ids[1]]}])[
        "SecurityGroupRules"
    ]
    assert "notebooks" in [rule.get("Description") for rule in rules]
