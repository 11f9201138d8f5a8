"""Spot requests of the embedded EC2: statuses, and machines that come back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local_api import (
    Clock,
    Machines,
    describe,
    image,
    refusal,
    request,
    run,
    settled,
    standing,
)
from tests.unit.local_market import account, clock, ec2, machines

__all__ = ["account", "clock", "ec2", "machines"]  # fixtures, for pytest to find here


@pytest.fixture
def fulfilled(ec2: Any, clock: Clock) -> tuple[str, str]:
    request_id = request(ec2)
    machine = standing(ec2, request_id)[2]
    assert machine is not None
    settled(ec2, machine, "running", clock)
    return request_id, machine


def test_a_request_is_answered_open_and_then_fulfilled_with_the_disk_asked_for(
    ec2: Any, machines: Machines
) -> None:
    answer = ec2.request_spot_instances(
        LaunchSpecification={"ImageId": image(ec2), "InstanceType": "t3.large"},
        TagSpecifications=[
            {"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )["SpotInstanceRequests"][0]
    assert (answer["State"], answer["Status"]["Code"]) == ("open", "pending-evaluation")

    state, code, machine = standing(ec2, request(ec2))

    assert (state, code) == ("active", "fulfilled")
    assert machine is not None
    assert machines.specs[machine].lifecycle == "spot"
    assert machines.specs[machine].root_gib == 30
    assert machines.specs[machine].user_data == b"#cloud-config\n"
    shown = describe(ec2, machine)
    assert shown["InstanceLifecycle"] == "spot"
    volume = shown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Encrypted"] is True


def test_tags_of_a_request_stay_with_it_and_other_kinds_are_refused(ec2: Any) -> None:
    tags = [{"Key": "jupyter-clouds:deployment", "Value": "mine"}]
    made = request(
        ec2, TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": tags}]
    )

    by_tag = [{"Name": "tag:jupyter-clouds:deployment", "Values": ["mine"]}]
    found = ec2.describe_spot_instance_requests(Filters=by_tag)["SpotInstanceRequests"]
    assert [one["SpotInstanceRequestId"] for one in found] == [made]
    machine = standing(ec2, made)[2]
    assert machine is not None
    assert describe(ec2, machine).get("Tags", []) == []

    refused = refusal(
        lambda: request(ec2, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    )
    assert refused[0] == "InvalidParameterValue"


def test_machines_are_found_by_their_request_terminated_ones_too(
    ec2: Any, fulfilled: tuple[str, str]
) -> None:
    request_id, machine = fulfilled
    run(ec2)

    by_request = [{"Name": "spot-instance-request-id", "Values": [request_id]}]
    found = ec2.describe_instances(Filters=by_request)["Reservations"]

    assert [one["InstanceId"] for each in found for one in each["Instances"]] == [machine]


def test_a_stop_disables_the_request_and_a_start_makes_it_active_again(
    ec2: Any, fulfilled: tuple[str, str], clock: Clock
) -> None:
    request_id, machine = fulfilled

    ec2.stop_instances(InstanceIds=[machine])
    settled(ec2, machine, "stopped", clock)
    assert standing(ec2, request_id) == ("disabled", "instance-stopped-by-user", machine)

    ec2.start_instances(InstanceIds=[machine])
    settled(ec2, machine, "running", clock)
    assert standing(ec2, request_id) == ("active", "fulfilled", machine)


def test_a_shutdown_from_inside_counts_as_a_stop_by_the_user(
    ec2: Any, machines: Machines, fulfilled: tuple[str, str]
) -> None:
    request_id, machine = fulfilled

    machines.decided[machine] = "stopped"

    assert standing(ec2, request_id)[:2] == ("disabled", "instance-stopped-by-user")


def test_terminating_the_machine_of_a_persistent_request_brings_another(
    ec2: Any, fulfilled: tuple[str, str], clock: Clock
) -> None:
    request_id, machine = fulfilled

    ec2.terminate_instances(InstanceIds=[machine])
    settled(ec2, machine, "terminated", clock)
    assert standing(ec2, request_id) == ("open", "instance-terminated-by-user", None)
    clock.advance(6)

    state, code, another = standing(ec2, request_id)
    assert (state, code) == ("active", "fulfilled")
    assert another not in (None, machine)


def test_a_cancelled_request_leaves_its_machine_running_and_brings_no_other(
    ec2: Any, fulfilled: tuple[str, str], clock: Clock
) -> None:
    request_id, machine = fulfilled

    answer = ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])
    assert answer["CancelledSpotInstanceRequests"][0]["State"] == "cancelled"
    cancelled = ("cancelled", "request-canceled-and-instance-running", machine)
    assert standing(ec2, request_id) == cancelled
    assert describe(ec2, machine)["State"]["Name"] == "running"

    ec2.terminate_instances(InstanceIds=[machine])
    settled(ec2, machine, "terminated", clock)
    clock.advance(6)
    assert standing(ec2, request_id) == ("cancelled", "instance-terminated-by-user", machine)


def test_cancelling_the_request_of_a_stopped_machine_ends_it(
    ec2: Any, fulfilled: tuple[str, str], clock: Clock
) -> None:
    request_id, machine = fulfilled
    ec2.stop_instances(InstanceIds=[machine])
    settled(ec2, machine, "stopped", clock)

    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])

    settled(ec2, machine, "terminated", clock)
    assert standing(ec2, request_id)[0] == "cancelled"


def test_a_stopped_machine_whose_request_is_cancelled_cannot_be_started(
    ec2: Any, fulfilled: tuple[str, str], clock: Clock
) -> None:
    request_id, machine = fulfilled
    ec2.stop_instances(InstanceIds=[machine])
    settled(ec2, machine, "stopped", clock)
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])

    code, _ = refusal(lambda: ec2.start_instances(InstanceIds=[machine]))

    assert code in ("IncorrectSpotRequestState", "IncorrectInstanceState")


def test_a_one_time_machine_cannot_be_stopped_and_closes_its_request(
    ec2: Any, clock: Clock
) -> None:
    machine = run(
        ec2,
        InstanceMarketOptions={
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time"},
        },
    )
    shown = settled(ec2, machine, "running", clock)
    request_id = shown["SpotInstanceRequestId"]
    assert shown["InstanceLifecycle"] == "spot"
    assert standing(ec2, request_id) == ("active", "fulfilled", machine)

    code, message = refusal(lambda: ec2.stop_instances(InstanceIds=[machine]))
    assert code == "UnsupportedOperation"
    assert "one-time Spot Instance request" in message

    ec2.terminate_instances(InstanceIds=[machine])
    settled(ec2, machine, "terminated", clock)
    assert standing(ec2, request_id)[:2] == ("closed", "instance-terminated-by-user")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Type": "one-time"}, "InvalidParameterCombination"),
    ],
)
def test_a_request_that_cannot_be_is_refused(ec2: Any, asked: dict[str, Any], code: str) -> None:
    assert refusal(lambda: request(ec2, **asked))[0] == code
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []
