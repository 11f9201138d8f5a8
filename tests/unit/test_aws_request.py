"""What is asked for, compared with what EC2 has, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrapper.aws import Aws, Facts, Request
from wrapper.errors import RequestError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account


def image(ec2: EC2Client, architecture: str) -> str:
    images = ec2.describe_images(Owners=["099720109477"])["Images"]
    return next(
        str(one.get("ImageId")) for one in images if one.get("Architecture") == architecture
    )


@pytest.mark.parametrize(
    ("instance_type", "facts"),
    [
        ("t3.large", ("x86_64", 2, 8192)),
        ("t4g.medium", ("arm64", 2, 4096)),
        ("c5.2xlarge", ("x86_64", 8, 16384)),
    ],
)
@pytest.mark.parametrize("spot", [True, False], ids=["spot", "on-demand"])
def test_a_request_that_can_be_met_tells_what_the_machine_has(
    account: Account, instance_type: str, facts: tuple[str, int, int], spot: bool
) -> None:
    found = Aws(environment=account.environment).check_request(Request(instance_type, spot))
    assert (found.architecture, found.vcpus, found.memory_mib) == facts
    assert "us-east-1a" in found.zones
    assert list(found.zones) == sorted(found.zones)


def test_zone_and_image_that_fit_are_taken(account: Account) -> None:
    ami = image(account.client(), "arm64")
    wanted = Request("t4g.large", spot=False, zone="us-east-1b", ami_id=ami)
    found = Aws(environment=account.environment).check_request(wanted)
    assert found == Facts("arm64", 2, 8192, ("us-east-1b",))


def test_another_region_than_the_adapters_is_asked(account: Account) -> None:
    wanted = Request("t3.large", spot=True, region="eu-central-1")
    zones = Aws(environment=account.environment).check_request(wanted).zones
    assert all(zone.startswith("eu-central-1") for zone in zones)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        pytest.param(
            Request("t3.large", spot=True, region="eu-centrl-1"),
            r'no AWS region "eu-centrl-1". Did you mean eu-central-1',
            id="unknown region",
        ),
        pytest.param(
            Request("t3.lrge", spot=True),
            r'us-east-1 has no instance type "t3.lrge". Did you mean t3.large',
            id="unknown type",
        ),
        pytest.param(Request("", spot=True), 'no instance type ""', id="empty type"),
        pytest.param(
            Request("t3 large; rm -rf", spot=True), "no instance type", id="type that is none"
        ),
        pytest.param(
            Request("mac1.metal", spot=False), "runs on Linux on x86_64 and arm64", id="a Mac"
        ),
        pytest.param(
            Request("t3.large", spot=True, zone="us-east-1z"),
            'no availability zone "us-east-1z"; it has: us-east-1a, us-east-1b',
            id="unknown zone",
        ),
        pytest.param(
            Request("t3.large", spot=True, zone="eu-west-1a"),
            'no availability zone "eu-west-1a"',
            id="zone of another region",
        ),
        pytest.param(
            Request("t3.large", spot=True, zone="us-east-1e"),
            "t3.large is not offered in us-east-1e; it is in: us-east-1a",
            id="type not offered in the zone",
        ),
        pytest.param(
            Request("t3.large", spot=True, subnet_id="subnet-0123456789abcdef0"),
            "no subnet subnet-0123456789abcdef0",
            id="unknown subnet",
        ),
        pytest.param(
            Request("t3.large", spot=True, subnet_id="nonsense"), "no subnet nonsense", id="no id"
        ),
        pytest.param(
            Request("t3.large", spot=True, ami_id="ami-0123456789abcdef0"),
            "no image ami-0123456789abcdef0",
            id="unknown image",
        ),
        pytest.param(Request("t3.large", spot=True, ami_id="u"), "no image u", id="no image id"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_a_way_out(
    account: Account, wanted: Request, reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as raised:
        Aws(environment=account.environment).check_request(wanted)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("instance_type", "architecture"), [("t3.large", "arm64"), ("t4g.large", "x86_64")]
)
def test_an_image_of_the_other_architecture_is_refused(
    account: Account, instance_type: str, architecture: str
) -> None:
    ami = image(account.client(), architecture)
    with pytest.raises(RequestError, match=f"is for {architecture}, but {instance_type} is"):
        Aws(environment=account.environment).check_request(
            Request(instance_type, spot=True, ami_id=ami)
        )


def test_a_subnet_decides_the_zone(account: Account) -> None:
    ec2 = account.client()
    aws = Aws(environment=account.environment)
    subnets = ec2.describe_subnets()["Subnets"]
    ids = {one["AvailabilityZone"]: one["SubnetId"] for one in subnets}
    here = Request("t3.large", spot=True, subnet_id=ids["us-east-1c"])
    assert aws.check_request(here).zones == ("us-east-1c",)
    with pytest.raises(RequestError, match="not offered in the zone of subnet-"):
        aws.check_request(Request("t3.large", spot=True, subnet_id=ids["us-east-1e"]))
    with pytest.raises(RequestError, match="No subnet for the machine is in us-east-1a"):
        aws.check_request(
            Request("t3.large", spot=True, zone="us-east-1a", subnet_id=ids["us-east-1c"])
        )


def test_an_account_without_a_default_vpc_is_told_the_two_ways_on(
    account: Account,
) -> None:
    region = "ca-central-1"
    ec2 = account.client(region)
    aws = Aws(environment=account.environment, region=region)
    (vpc,) = (str(one.get("VpcId")) for one in ec2.describe_vpcs()["Vpcs"])
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with pytest.raises(RequestError, match="no default subnet"):
        aws.check_request(Request("t3.large", spot=True))
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        identity = str(gateway.get("InternetGatewayId"))
        ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    with pytest.raises(RequestError, match="no default VPC in ca-central-1") as raised:
        aws.check_request(Request("t3.large", spot=True))
    assert "aws ec2 create-default-vpc --region ca-central-1" in str(raised.value.hint)
    assert "--subnet" in str(raised.value.hint)
