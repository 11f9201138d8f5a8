"""States of the embedded EC2's instances, as their machines go through them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_api import Machines, account, describe, ec2, machines, refusal, run, wait_for

__all__ = ["account", "ec2", "machines"]  # fixtures, for pytest to find here


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
