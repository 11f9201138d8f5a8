"""The embedded EC2's API refuses, keeps and answers what EC2 does."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_api import (
    ROOT,
    Machines,
    account,
    describe,
    ec2,
    image,
    machines,
    refusal,
    run,
    wait_for,
)
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


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"InstanceType": "t9.large"}, "InvalidParameterValue", "Invalid value 't9.large'"),
        ({"InstanceType": "t4g.large"}, "InvalidParameterValue", "does not match"),
        ({"ImageId": "ami-" + "0" * 17}, "InvalidAMIID.NotFound", "does not exist"),
        (
            {"Placement": {"AvailabilityZone": "us-east-1e"}},
            "Unsupported",
            "choosing us-east-1a, us-east-1b",
        ),
        ({"UserData": "x" * 16385}, "InvalidParameterValue", "limited to 16384 bytes"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound", "nobody"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 4}}]},
            "InvalidBlockDeviceMapping",
            "expect size >= 8GB",
        ),
    ],
)
def test_a_launch_that_ec2_would_refuse_is_refused(
    ec2: Any, machines: Machines, request_: dict[str, Any], code: str, words: str
) -> None:
    answered, message = refusal(lambda: run(ec2, **request_))

    assert answered == code
    assert words in message
    assert machines.specs == {}


def test_sixteen_kilobytes_of_user_data_are_taken_as_they_are(ec2: Any, machines: Machines) -> None:
    instance = run(ec2, UserData=bytes(16384))

    assert machines.specs[instance].user_data == bytes(16384)


def test_a_host_that_refuses_leaves_no_instance_behind(ec2: Any, machines: Machines) -> None:
    machines.full = True

    code, message = refusal(lambda: run(ec2))

    assert code == "InsufficientHostCapacity"
    assert "disk of this computer is full" in message
    assert ec2.describe_volumes()["Volumes"] == []
    states = [
        one["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for one in reservation["Instances"]
    ]
    assert states in ([], ["terminated"])


def test_the_machine_is_told_all_that_it_has_to_know(ec2: Any, machines: Machines) -> None:
    key = ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    instance = run(ec2, BlockDeviceMappings=[ROOT], KeyName="mine", UserData="#cloud-config\n")

    spec, shown = machines.specs[instance], describe(ec2, instance)
    assert key["KeyName"] == "mine"
    assert spec.user_data == b"#cloud-config\n"
    assert spec.public_keys[0].startswith("ssh-ed25519 AAAA")
    assert spec.memory_mib == 8192
    assert spec.root_gib == 30
    assert (spec.region, spec.architecture) == ("us-east-1", "x86_64")
    assert spec.zone == shown["Placement"]["AvailabilityZone"]
    assert spec.private_ip == shown["PrivateIpAddress"]
    assert spec.mac == shown["NetworkInterfaces"][0]["MacAddress"]
    assert spec.public_ip == shown["PublicIpAddress"]
    assert spec.lifecycle == "on-demand"


def test_the_disk_is_the_images_with_what_was_asked_for_laid_over_it(ec2: Any) -> None:
    run(ec2, BlockDeviceMappings=[ROOT])

    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (30, "gp3", True)
    assert (volume["Iops"], volume["Throughput"]) == (3000, 125)
    assert volume["Attachments"][0]["Device"] == "/dev/sda1"
    assert volume["Attachments"][0]["DeleteOnTermination"] is True


def test_imdsv2_is_required_where_the_image_says_so_and_can_be_set_later(ec2: Any) -> None:
    said = run(ec2)
    older = run(ec2, ImageId=image(ec2, "debian-12-amd64-*"))

    assert describe(ec2, said)["MetadataOptions"]["HttpTokens"] == "required"
    assert describe(ec2, older)["MetadataOptions"]["HttpTokens"] == "optional"

    ec2.modify_instance_metadata_options(InstanceId=older, HttpTokens="required")

    options = describe(ec2, older)["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpEndpoint"] == "enabled"


def test_states_follow_the_machine_through_stop_start_reboot_and_end(
    ec2: Any, machines: Machines
) -> None:
    instance = run(ec2)
    assert describe(ec2, instance)["State"]["Name"] == "pending"
    wait_for(ec2, instance, "running")

    ec2.reboot_instances(InstanceIds=[instance])
    assert describe(ec2, instance)["State"]["Name"] == "running"

    stopping = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert stopping["PreviousState"]["Name"] == "running"
    assert stopping["CurrentState"]["Name"] == "stopping"
    stopped = wait_for(ec2, instance, "stopped")
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"

    ec2.start_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "running")
    ec2.stop_instances(InstanceIds=[instance], Force=True)
    assert machines.stopped_by_force == [instance]

    ec2.terminate_instances(InstanceIds=[instance])
    assert describe(ec2, instance)["State"]["Name"] == "shutting-down"
    wait_for(ec2, instance, "terminated")
    assert ec2.describe_volumes()["Volumes"] == []
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_shutdown_from_inside_shows_as_such(ec2: Any, machines: Machines) -> None:
    instance = run(ec2)
    wait_for(ec2, instance, "running")

    machines.decided[instance] = "stopped"

    shown = describe(ec2, instance)
    assert shown["State"]["Name"] == "stopped"
    assert shown["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert shown["StateTransitionReason"] == "User initiated", "EC2 does not tell when"


def test_a_shutdown_from_inside_ends_an_instance_that_was_asked_to(
    ec2: Any, machines: Machines
) -> None:
    instance = run(ec2, InstanceInitiatedShutdownBehavior="terminate")
    wait_for(ec2, instance, "running")

    machines.decided[instance] = "stopped"

    shown = wait_for(ec2, instance, "terminated")
    assert shown["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_what_a_shutdown_from_inside_means_is_changed_and_nothing_else(
    ec2: Any, machines: Machines
) -> None:
    instance = run(ec2)
    wait_for(ec2, instance, "running")
    groups = describe(ec2, instance)["SecurityGroups"]
    assert groups
    ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    assert describe(ec2, instance)["SecurityGroups"] == groups
    with pytest.raises(ClientError, match="neither stop nor terminate"):
        ec2.modify_instance_attribute(
            InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "sleep"}
        )
    with pytest.raises(ClientError, match="not valid"):
        ec2.modify_instance_attribute(InstanceId=instance, EnaSupport={"Value": True})
    assert describe(ec2, instance)["SecurityGroups"] == groups

    machines.decided[instance] = "stopped"
    wait_for(ec2, instance, "terminated")


@pytest.mark.parametrize("action", ["start_instances", "stop_instances", "reboot_instances"])
def test_a_state_that_does_not_allow_it_is_named(ec2: Any, action: str) -> None:
    instance = run(ec2)

    call = getattr(ec2, action)

    assert refusal(lambda: call(InstanceIds=[instance]))[0] == "IncorrectInstanceState"


def test_the_type_changes_only_while_stopped(ec2: Any) -> None:
    instance = run(ec2)
    wait_for(ec2, instance, "running")

    def change() -> object:
        wanted = {"Value": "t3.xlarge"}
        return ec2.modify_instance_attribute(InstanceId=instance, InstanceType=wanted)

    assert refusal(change)[0] == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    change()
    assert describe(ec2, instance)["InstanceType"] == "t3.xlarge"


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
