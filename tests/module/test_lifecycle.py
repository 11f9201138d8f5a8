"""Apply, an empty second plan, destroy, nothing left: for the plain module and every example."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from scripts import services
from tests.module.lives import EXAMPLES, PLAIN
from wrapper.local.api.policy import decision

if TYPE_CHECKING:
    from tests.module.conftest import Lives

pytestmark = pytest.mark.slow

SHA256 = hashlib.sha256(services.text().encode()).hexdigest()


@pytest.mark.parametrize("name", [*PLAIN, *EXAMPLES])
def test_a_second_plan_is_empty_and_destroy_leaves_nothing(lives: Lives, name: str) -> None:
    seen = lives.seen(name)

    assert seen.unchanged
    assert seen.instances
    assert seen.left == []


def test_a_spot_machine_and_its_disk_are_tagged_by_other_means(
    lives: Lives,
) -> None:
    seen = lives.seen("everything")

    expected = {
        "Name": "jupyter-clouds-mine",
        "jupyter-clouds:deployment": "mine",
        "jupyter-clouds:owner": "ada",
        "team": "blue",
    }
    for one in (*seen.instances, seen.root, *seen.requests):
        assert {tag["Key"]: tag["Value"] for tag in one["Tags"]} == expected
    tags = {tag["Key"]: tag["Value"] for tag in seen.data["Tags"]}
    of_data = {"jupyter-clouds:data-of": "mine", "jupyter-clouds:architecture": "arm64"}
    assert tags == {**expected, **of_data}


def test_a_spot_machine_has_what_was_asked_for(lives: Lives) -> None:
    seen = lives.seen("everything")

    (instance,), volume, (request,) = seen.instances, seen.root, seen.requests
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["InstanceType"] == "t4g.large"
    assert instance["Architecture"] == "arm64"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"  # by its image
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (55, "gp3", True)
    assert (request["Type"], request["State"]) == ("persistent", "active")
    assert request["InstanceInterruptionBehavior"] == "stop"


def test_the_outputs_are_those_of_the_machine(lives: Lives) -> None:
    seen = lives.seen("no inputs but spot")

    (instance,), (request,), outputs = seen.instances, seen.requests, seen.outputs
    assert outputs["instance_id"] == instance["InstanceId"]
    assert outputs["ami_id"] == instance["ImageId"]
    assert outputs["availability_zone"] == instance["Placement"]["AvailabilityZone"]
    assert outputs["public_ip"] == instance["PublicIpAddress"]
    assert outputs["url"] == f"https://{instance['PublicIpAddress']}:9999/"
    assert outputs["spot_request_id"] == request["SpotInstanceRequestId"]
    assert outputs["market"] == "spot"
    assert len(outputs["password"]) == 36
    assert instance["InstanceId"] in outputs["verify_command"]


def test_an_instance_is_tagged_with_its_disk_and_asks_for_imdsv2(
    lives: Lives,
) -> None:
    seen = lives.seen("one-time spot")

    (instance,) = seen.instances
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    for one in (instance, seen.root):
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        assert tags == {"Name": "jupyter-clouds-notebook", "jupyter-clouds:deployment": "notebook"}


@pytest.mark.parametrize("name", ["one-time spot", "everything"])
def test_the_data_volume_is_the_machines_and_outlives_it(lives: Lives, name: str) -> None:
    seen = lives.seen(name)

    (instance,), volume = seen.instances, seen.data
    assert seen.outputs["data_volume_id"] == volume["VolumeId"]
    assert seen.outputs["data_volume_managed"] is True
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (8, "gp3", True)
    (attachment,) = volume["Attachments"]
    assert attachment["InstanceId"] == instance["InstanceId"]
    assert (attachment["Device"], attachment["DeleteOnTermination"]) == ("/dev/sdf", False)


def test_after_a_one_time_machine_was_taken_the_next_has_its_data_and_address(
    lives: Lives,
) -> None:
    seen = lives.seen("one-time spot")

    assert seen.again["instance_id"] != seen.outputs["instance_id"]
    for kept in ("data_volume_id", "public_ip", "password"):
        assert seen.again[kept] == seen.outputs[kept]
    assert (seen.again["data_volume_id"], seen.again["instance_id"]) in seen.attached_again
    assert seen.left == []


# Over an endpoint without TLS, which the caller chose, there is none to insist on.
@pytest.mark.parametrize(
    ("name", "without_tls"), [("no inputs but spot", "Deny"), ("everything", "Allow")]
)
def test_the_bucket_is_read_by_the_machine_alone(lives: Lives, name: str, without_tls: str) -> None:
    seen = lives.seen(name)

    (instance,), (policy,) = seen.instances, seen.policies
    address, vpc = instance["PublicIpAddress"], instance["VpcId"]
    (resource,) = {one["Resource"] for one in policy["Statement"] if one["Effect"] == "Allow"}
    assert resource.endswith(f"/{SHA256}.json")

    def said(action: str = "s3:GetObject", tls: str = "true", **source: str) -> str | None:
        context = {f"aws:{key}": value for key, value in {**source, "securetransport": tls}.items()}
        return decision(policy, action=action, resource=resource, context=context)

    assert said(sourceip=address) == "Allow"
    assert said(sourcevpc=vpc) == "Allow"
    assert said(sourceip="203.0.113.7") is None
    assert said(sourcevpc="vpc-0123456789abcdef0") is None
    assert said(action="s3:PutObject", sourceip=address) is None
    assert said(sourceip=address, tls="false") == without_tls
