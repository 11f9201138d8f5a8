"""The XML that the embedded EC2 answers with is what moto itself would write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.core.serialize import EC2Serializer

from tests.unit.fleet import data_volume, fulfilled, launch, request_spot
from wrapper.local.api.answers import Answer

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account

TYPES = ["t3.large", "g5.xlarge", "p5.48xlarge", "t4g.large", "c7gd.metal"]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Each answer from now on: the action, our text, and moto's."""
    found: list[tuple[str, str, str]] = []
    write = Answer.execute_result

    def both(self: Answer, context: Any) -> Any:
        context.serializer_class = EC2Serializer
        theirs = self._of.execute_result(context)
        ours = write(self, context)
        assert (ours[0], ours[1]) == (theirs[0], theirs[1])
        found.append((context.operation_model.name, str(ours[2]), str(theirs[2])))
        return ours

    monkeypatch.setattr(Answer, "execute_result", both)
    return found


def test_it_is_what_moto_itself_would_write(
    account: Account, ec2: EC2Client, name: str, answered: list[tuple[str, str, str]]
) -> None:
    machine = launch(ec2, f"{name} <&> \"'é", UserData="#!/bin/sh\n")
    spot = request_spot(ec2, name)
    fulfilled(ec2, spot)
    volume = data_volume(ec2, name, machine)
    ec2.create_snapshot(VolumeId=volume, Description="")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=machine)
    for list_all in (
        ec2.describe_addresses,
        ec2.describe_images,
        ec2.describe_instances,
        ec2.describe_key_pairs,
        ec2.describe_network_interfaces,
        ec2.describe_regions,
        ec2.describe_security_group_rules,
        ec2.describe_security_groups,
        ec2.describe_snapshots,
        ec2.describe_spot_instance_requests,
        ec2.describe_subnets,
        ec2.describe_tags,
        ec2.describe_volumes,
        ec2.describe_vpcs,
    ):
        list_all()
    ec2.describe_instance_types(InstanceTypes=TYPES)  # type: ignore[arg-type] # types are strings
    ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
    ec2.stop_instances(InstanceIds=[machine])
    ec2.terminate_instances(InstanceIds=[machine])
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[spot])
    with pytest.raises(ClientError, match="does not exist"):
        ec2.describe_volumes(VolumeIds=["vol-0123456789abcdef0"])
    account.control.refuse("ec2:DescribeVpcs", "denied")
    with pytest.raises(ClientError, match="not authorized"):
        ec2.describe_vpcs()
    assert len(answered) > 25
    for action, ours, theirs in answered:
        assert ours == theirs, action


def test_types_are_found_by_names_patterns_and_what_else_is_asked(ec2: EC2Client) -> None:
    """Names alone are not tried as patterns, and an answer is written once."""

    def found(*names: str, **others: str) -> set[str]:
        asked = {"instance-type": names, **{key: (value,) for key, value in others.items()}}
        filters: Any = [{"Name": k.replace("_", "-"), "Values": v} for k, v in asked.items()]
        told = ec2.describe_instance_types(Filters=filters)
        return {str(one["InstanceType"]) for one in told["InstanceTypes"]}

    assert found(*TYPES, "no.such") == {*TYPES}
    assert found(*TYPES, bare_metal="false") == {*TYPES} - {"c7gd.metal"}
    assert found("t3.lar*", "t4g.large") == {"t3.large", "t4g.large"}
    assert found("no.such") == set()
    with pytest.raises(ClientError, match=r"no\.such"):
        ec2.describe_instance_types(InstanceTypes=["no.such"])  # type: ignore[list-item] # none
    ids = {
        ec2.describe_instance_types(InstanceTypes=["t3.nano"])["ResponseMetadata"]["RequestId"]
        for _ in range(2)
    }
    assert len(ids) == 2
