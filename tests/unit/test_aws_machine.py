from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from wrapper.aws import Aws, Ended, Leftover, Pace
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_ec2 import EC2Client

QUICK = Pace(first=0.05, growth=1.2, longest=0.3)
NOT_EVEN_ONE = "i-0123456789abcdef0"


@pytest.fixture(scope="module")
def ec2(ec2_environment: dict[str, str]) -> EC2Client:
    return boto3.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
    ).client("ec2", endpoint_url=ec2_environment["AWS_ENDPOINT_URL"])


@pytest.fixture(scope="module")
def aws(ec2_environment: dict[str, str]) -> Aws:
    return Aws(environment=ec2_environment, pace=QUICK)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A deployment of the test's own: the API is shared."""
    return str(abs(hash(request.node.name)))


def tags(name: str, kind: str) -> list[Any]:
    pairs = {"jupyter-clouds:deployment": name, "Name": f"jupyter-clouds-{name}"}
    return [
        {
            "ResourceType": kind,
            "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
        }
    ]


def image(ec2: EC2Client) -> str:
    images = ec2.describe_images(Owners=["099720109477"])["Images"]
    return next(str(one.get("ImageId")) for one in images if one.get("Architecture") == "x86_64")


def launch(ec2: EC2Client, name: str, **more: Any) -> str:
    """An on-demand machine as Terraform makes it, tagged from the first moment on."""
    made = ec2.run_instances(
        ImageId=image(ec2),
        InstanceType="t3.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tags(name, "instance"),
        **more,
    )["Instances"][0]
    until(lambda: state(ec2, made["InstanceId"]) == "running")
    return made["InstanceId"]


def request_spot(ec2: EC2Client, name: str | None) -> str:
    """A persistent request; like EC2, it tags the request only, and not what comes of it."""
    tagged: dict[str, Any] = (
        {"TagSpecifications": tags(name, "spot-instances-request")} if name else {}
    )
    made = ec2.request_spot_instances(
        Type="persistent",
        InstanceInterruptionBehavior="stop",
        LaunchSpecification={"ImageId": image(ec2), "InstanceType": "t3.large"},
        **tagged,
    )["SpotInstanceRequests"][0]
    return str(made.get("SpotInstanceRequestId"))


def fulfilled(ec2: EC2Client, request_id: str) -> str:
    def instance() -> str | None:
        found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request_id])
        return found["SpotInstanceRequests"][0].get("InstanceId")

    until(lambda: instance() is not None and state(ec2, str(instance())) == "running")
    return str(instance())


def state(ec2: EC2Client, instance_id: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance_id])
    return found["Reservations"][0].get("Instances", [])[0]["State"]["Name"]


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "gave up waiting"
        time.sleep(0.1)


def kinds(found: Sequence[Leftover]) -> list[str]:
    return [one.kind for one in found]


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


def test_a_spot_price_is_told_and_an_on_demand_one_is_not(aws: Aws) -> None:
    price = aws.hourly_price("t3.large", "us-east-1a", "spot")
    assert price is not None
    assert Decimal("0.001") < price < Decimal("0.2")
    assert aws.hourly_price("t3.large", "us-east-1a", "on-demand") is None
    assert aws.hourly_price("t3.large", "us-east-1z", "spot") is None


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
    assert kinds(aws.leftovers(name, request_ids=[request_id])) == [
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
    assert kinds(aws.leftovers(name)) == ["instance", "volume", "interface"]
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
    ec2_environment: dict[str, str], ec2: EC2Client, name: str
) -> None:
    fulfilled(ec2, request_spot(ec2, name))
    failed: list[BaseException] = []

    def end() -> None:
        try:
            Aws(environment=ec2_environment, pace=QUICK).end_machines(name)
        except BaseException as error:  # noqa: BLE001 (told to the test's own thread)
            failed.append(error)

    threads = [threading.Thread(target=end) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def litter(ec2: EC2Client, name: str) -> dict[str, str]:
    """One of everything that a deployment can leave behind, and somebody else's group."""
    group = ec2.create_security_group(
        GroupName=f"{name}-group", Description="x", TagSpecifications=tags(name, "security-group")
    )["GroupId"]
    foreign = ec2.create_security_group(GroupName=f"{name}-foreign", Description="x")["GroupId"]
    rules = [
        ec2.authorize_security_group_ingress(
            GroupId=target,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 9999,
                    "ToPort": 9999,
                    "IpRanges": [{"CidrIp": "203.0.113.7/32"}],
                }
            ],
            TagSpecifications=tags(name, "security-group-rule"),
        )["SecurityGroupRules"][0].get("SecurityGroupRuleId")
        for target in (group, foreign)
    ]
    subnet = ec2.describe_subnets()["Subnets"][0]
    interface = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]
    # moto leaves the tags out that CreateNetworkInterface is given.
    ec2.create_tags(
        Resources=[str(interface.get("NetworkInterfaceId"))],
        Tags=tags(name, "network-interface")[0]["Tags"],
    )
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=1,
        VolumeType="gp3",
        TagSpecifications=tags(name, "volume"),
    )
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
    key = ec2.create_key_pair(KeyName=f"{name}-key", TagSpecifications=tags(name, "key-pair"))
    return {
        "instance": launch(ec2, name),
        "address": address["AllocationId"],
        "volume": volume["VolumeId"],
        "interface": str(interface.get("NetworkInterfaceId")),
        "rule": str(rules[1]),
        "group": group,
        "key-pair": str(key["KeyPairId"]),
    }


def test_everything_left_is_found_in_an_order_in_which_it_can_be_removed(
    aws: Aws, ec2: EC2Client, name: str
) -> None:
    left = litter(ec2, name)
    request_id = request_spot(ec2, name)
    fulfilled(ec2, request_id)
    ec2.associate_address(AllocationId=left["address"], InstanceId=left["instance"])
    found = aws.leftovers(name)
    assert {one.id for one in found} >= {request_id, *left.values()}
    assert all(one.detail for one in found)
    for one in found:
        aws.remove(one)
    assert aws.leftovers(name) == []
    for one in found:
        aws.remove(one)


def test_the_details_say_what_a_person_wants_to_know(aws: Aws, ec2: EC2Client, name: str) -> None:
    left = litter(ec2, name)
    details = {one.kind: one.detail for one in aws.leftovers(name) if one.id in left.values()}
    assert details["instance"] == "t3.large, running"
    assert details["volume"] == "1 GiB, available"
    assert details["rule"].startswith("ingress tcp 9999-9999 in sg-")
    assert details["group"] == f"{name}-group"
    assert details["key-pair"] == f"{name}-key"
    for one in aws.leftovers(name):
        aws.remove(one)


def test_a_group_that_something_holds_is_given_up_in_words(
    aws: Aws, ec2: EC2Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.aws.leftovers._MINUTES", 0.01)
    ec2.create_security_group(
        GroupName=name, Description="x", TagSpecifications=tags(name, "security-group")
    )
    (group,) = aws.leftovers(name)
    held_by = launch(ec2, f"{name}-another", SecurityGroupIds=[group.id])
    with pytest.raises(AwsError, match=rf"Gave up .*the group {group.id} is still in use"):
        aws.remove(group)
    aws.end_machines(name, instance_ids=[held_by])
    aws.remove(group)
    assert aws.leftovers(name) == []
