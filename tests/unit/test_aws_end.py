"""Machines and their spot requests, ended in the order that leaves none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.unit.conftest import QUICK
from tests.unit.fleet import fulfilled, launch, request_spot, state
from wrapper.aws import Aws, Ended

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account

NOT_EVEN_ONE = "i-0123456789abcdef0"


def test_ending_cancels_the_request_before_it_terminates(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, name)
    instance_id = fulfilled(ec2, request_id)
    assert aws.end_machines(name) == [
        Ended("request", request_id),
        Ended("instance", instance_id),
    ]
    assert state(ec2, instance_id) == "terminated"
    assert aws.end_machines(name) == []
    assert aws.leftovers(name) == []
    # EC2 would have started another by now, had the request been open.
    time.sleep(1)
    assert aws.find_instances(name) == []


def test_ending_goes_by_the_ids_in_the_state_where_nothing_is_tagged(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, None)
    instance_id = fulfilled(ec2, request_id)
    assert aws.end_machines(name) == []
    assert state(ec2, instance_id) == "running"
    assert [one.kind for one in aws.leftovers(name, request_ids=[request_id])] == [
        "request",
        "instance",
        "volume",
        "interface",
    ]
    ended = aws.end_machines(name, request_ids=[request_id, "sir-0123456789abcdef0"])
    assert ended == [Ended("request", request_id), Ended("instance", instance_id)]
    assert aws.leftovers(name, request_ids=[request_id], instance_ids=[instance_id]) == []


def test_ending_by_the_machines_id_finds_its_request(aws: Aws, ec2: EC2Client, name: str) -> None:
    request_id = request_spot(ec2, None)
    instance_id = fulfilled(ec2, request_id)
    assert aws.end_machines(name, instance_ids=[instance_id, NOT_EVEN_ONE]) == [
        Ended("request", request_id),
        Ended("instance", instance_id),
    ]


def test_ending_copes_with_a_request_cancelled_outside(aws: Aws, ec2: EC2Client, name: str) -> None:
    request_id = request_spot(ec2, name)
    instance_id = fulfilled(ec2, request_id)
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])
    assert [one.kind for one in aws.leftovers(name)] == ["instance", "volume", "interface"]
    assert aws.end_machines(name) == [Ended("instance", instance_id)]


def test_ending_copes_with_a_machine_terminated_outside(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, name)
    ec2.terminate_instances(InstanceIds=[fulfilled(ec2, request_id)])
    assert Ended("request", request_id) in aws.end_machines(name)
    time.sleep(1)
    assert aws.find_instances(name) == []


def test_ending_copes_with_a_request_that_is_just_being_fulfilled(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, name)
    assert Ended("request", request_id) in aws.end_machines(name)
    time.sleep(1)
    assert aws.find_instances(name) == []


def test_ending_copes_with_a_stopped_spot_machine(aws: Aws, ec2: EC2Client, name: str) -> None:
    instance_id = fulfilled(ec2, request_spot(ec2, name))
    aws.stop_instance(instance_id)
    assert Ended("instance", instance_id) in aws.end_machines(name)
    assert aws.find_instances(name) == []


def test_two_deployments_do_not_see_each_other(aws: Aws, ec2: EC2Client, name: str) -> None:
    mine, other = launch(ec2, name), launch(ec2, f"{name}-2")
    assert aws.end_machines(name) == [Ended("instance", mine)]
    assert state(ec2, other) == "running"


def test_two_that_end_the_same_deployment_at_once_both_finish(
    account: Account, ec2: EC2Client, name: str
) -> None:
    fulfilled(ec2, request_spot(ec2, name))
    failed: list[BaseException] = []

    def end() -> None:
        try:
            Aws(environment=account.environment, pace=QUICK).end_machines(name)
        except BaseException as error:  # noqa: BLE001 (told to the test's own thread)
            failed.append(error)

    threads = [threading.Thread(target=end) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
