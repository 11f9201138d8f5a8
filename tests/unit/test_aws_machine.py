"""A deployment's machine, as EC2 tells of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.unit.fleet import fulfilled, launch, request_spot, state
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from wrapper.aws import Aws

NOT_EVEN_ONE = "i-0123456789abcdef0"


def test_an_on_demand_machine_is_described(aws: Aws, ec2: EC2Client, name: str) -> None:
    instance_id = launch(ec2, name)
    found = aws.instance(instance_id)
    assert found is not None
    assert (found.name, found.state, found.market) == (name, "running", "on-demand")
    assert (found.instance_type, found.spot_request_id) == ("t3.large", None)
    assert found.zone.startswith("us-east-1")
    assert found.public_ip
    assert found.launched_at.tzinfo is not None
    assert aws.find_instances(name) == [found]


def test_a_spot_machine_is_found_by_its_request_though_it_has_no_tag(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    request_id = request_spot(ec2, name)
    instance_id = fulfilled(ec2, request_id)
    (found,) = aws.find_instances(name)
    assert (found.instance_id, found.name, found.market) == (instance_id, None, "spot")
    assert found.spot_request_id == request_id
    request = aws.spot_request(request_id)
    assert request is not None
    assert (request.name, request.state, request.status) == (name, "active", "fulfilled")
    assert request.instance_id == instance_id


@pytest.mark.parametrize("unknown", [NOT_EVEN_ONE, "nonsense"])
def test_what_ec2_does_not_know_is_none(aws: Aws, unknown: str) -> None:
    assert aws.instance(unknown) is None
    assert aws.spot_request(unknown) is None
    assert aws.find_instances(unknown) == []
    with pytest.raises(AwsError):
        aws.console(unknown)
    for call in (aws.stop_instance, aws.start_instance, aws.require_imdsv2):
        with pytest.raises(AwsError, match="has no machine") as raised:
            call(unknown)
        assert raised.value.hint


def test_the_console_is_read(aws: Aws, ec2: EC2Client, name: str) -> None:
    instance_id = launch(ec2, name)
    assert instance_id in aws.console(instance_id)


def test_imdsv2_is_required_of_a_machine_that_did_not(aws: Aws, ec2: EC2Client, name: str) -> None:
    instance_id = launch(ec2, name)
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="optional")
    assert [one.imdsv2_required for one in aws.find_instances(name)] == [False]
    aws.require_imdsv2(instance_id)
    aws.require_imdsv2(instance_id)
    assert [one.imdsv2_required for one in aws.find_instances(name)] == [True]


def test_stop_and_start_wait_until_it_is_so_and_can_be_repeated(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    instance_id = launch(ec2, name)
    for call, reached in ((aws.stop_instance, "stopped"), (aws.start_instance, "running")):
        for _ in range(2):
            call(instance_id)
            assert state(ec2, instance_id) == reached


def test_a_start_waits_for_a_machine_that_is_still_stopping(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    instance_id = launch(ec2, name)
    ec2.stop_instances(InstanceIds=[instance_id])
    aws.start_instance(instance_id)
    assert state(ec2, instance_id) == "running"


def test_a_machine_terminated_while_it_was_waited_for_is_told(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    instance_id = launch(ec2, name)
    ec2.terminate_instances(InstanceIds=[instance_id])
    with pytest.raises(AwsError, match=r"was terminated by somebody else|has no machine"):
        aws.stop_instance(instance_id)


def test_the_price_of_either_market_is_told(aws: Aws) -> None:
    price = aws.hourly_price("t3.large", "us-east-1a", "spot")
    assert price is not None
    assert Decimal("0.001") < price < Decimal("0.2")
    listed = aws.hourly_price("t3.large", "us-east-1a", "on-demand")
    assert listed is not None
    assert price < listed < Decimal("0.5")
    assert aws.hourly_price("t3.large", "us-east-1z", "spot") is None
