"""A machine's address and data volume, given to it beside Terraform, when Terraform can bear it."""

from __future__ import annotations

import dataclasses
import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import data_volume, launch, tags
from wrapper.deployment import applying, hands
from wrapper.deployment.hands import Hands
from wrapper.errors import TerraformError
from wrapper.terraform import Applying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ec2 import EC2Client

    from wrapper.aws import Aws


@pytest.fixture
def machine(ec2: EC2Client, aws: Aws, name: str) -> Iterator[str]:
    """It runs, with an address that it does not have yet."""
    found = launch(ec2, name, Placement={"AvailabilityZone": "us-east-1a"})
    ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
    yield found
    for volume in aws.find_volumes(name):
        aws.end_machines(name)
        aws.wait_until_free(volume.volume_id)
        aws.delete_volume(volume.volume_id)
    aws.end_machines(name)
    for one in aws.leftovers(name):
        aws.remove(one)


def of(kind: str, state: Any) -> Applying:
    return Applying(f"{kind}.this[0]", kind, "create", state)


MADE = [of("aws_ebs_volume", "started"), of("aws_ebs_volume", "done")]


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute has passed since anything was made."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(minutes=1)

    monkeypatch.setattr(hands, "datetime", Later)


def holder(aws: Aws, volume_id: str) -> str | None:
    found = aws.volume(volume_id)
    assert found
    return found.attached_to


@pytest.mark.usefixtures("aged")
def test_what_was_there_before_is_given_at_once(
    ec2: EC2Client, aws: Aws, machine: str, name: str
) -> None:
    volume = data_volume(ec2, name)
    given = Hands(aws, name)
    assert given.help()
    assert (given.attached, holder(aws, volume)) == (volume, machine)
    assert aws.free_address(name) is None
    found = aws.instance(machine)
    assert found
    assert found.public_ip in [
        one["PublicIp"]
        for one in ec2.describe_addresses(
            Filters=[{"Name": "tag:jupyter-clouds:deployment", "Values": [name]}]
        )["Addresses"]
    ]


def test_while_terraform_plans_ec2_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "EVERY", 0.01)
    asked = threading.Semaphore(0)

    def find_instances(_: str) -> list[Any]:
        asked.release()
        return []

    aws: Any = SimpleNamespace(find_instances=find_instances)
    given = Hands(aws, "it")
    with given.in_background():
        assert not asked.acquire(timeout=0.3)
        given.heard(of("aws_eip", "started"))
        assert asked.acquire(timeout=60)


def test_terraform_that_does_nothing_is_not_waited_for() -> None:
    none: Any = None
    with Hands(none, "it").in_background():
        pass


def test_terraform_may_give_the_address_once_more(
    ec2: EC2Client, aws: Aws, machine: str, name: str
) -> None:
    address = aws.free_address(name)
    assert address
    Hands(aws, name).help()
    again = ec2.associate_address(AllocationId=address, InstanceId=machine)
    found = ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert again["AssociationId"] == found["AssociationId"]


def test_a_new_volume_is_left_alone_until_terraform_has_it(
    ec2: EC2Client, aws: Aws, machine: str, name: str
) -> None:
    given = Hands(aws, name)
    volume = data_volume(ec2, name)
    # Terraform makes it, which was not heard yet.
    assert not given.help()
    given.heard(MADE[0])
    assert not given.help()
    assert holder(aws, volume) is None
    given.heard(MADE[1])
    assert given.help()
    assert holder(aws, volume) == machine


def test_a_new_volume_that_terraform_takes_over_is_given_at_once(
    ec2: EC2Client, aws: Aws, machine: str, name: str
) -> None:
    volume = data_volume(ec2, name)
    assert Hands(aws, name, volume_id=volume).help()
    assert holder(aws, volume) == machine


@pytest.mark.usefixtures("aged", "machine")
@pytest.mark.parametrize(
    "steps",
    [
        [of("aws_instance", "done")],
        [*MADE, of("aws_instance", "done")],
        [*MADE, of("aws_spot_instance_request", "started")],
    ],
    ids=["the machine", "the machine and a new volume", "a request, and a new volume"],
)
def test_what_terraform_is_about_to_attach_is_left_to_it(
    ec2: EC2Client, aws: Aws, name: str, steps: list[Applying]
) -> None:
    volume = data_volume(ec2, name)
    given = Hands(aws, name)
    for step in steps:
        given.heard(step)
    given.help()
    assert (given.attached, holder(aws, volume)) == (None, None)
    assert aws.free_address(name) is None


@pytest.mark.usefixtures("aged", "machine")
def test_of_two_volumes_terraform_alone_knows_which(ec2: EC2Client, aws: Aws, name: str) -> None:
    both = [data_volume(ec2, name) for _ in range(2)]
    Hands(aws, name).help()
    assert [holder(aws, one) for one in both] == [None, None]


@pytest.mark.usefixtures("aged")
def test_a_machine_of_before_gets_nothing(
    ec2: EC2Client, aws: Aws, machine: str, name: str
) -> None:
    volume = data_volume(ec2, name)
    assert not Hands(aws, name, ignore=[machine]).help()
    assert holder(aws, volume) is None
    assert aws.free_address(name)


@dataclasses.dataclass
class Terraform:
    """Fails as often as it is told to."""

    failures: list[str]
    applied: list[Any] = dataclasses.field(default_factory=list)

    def plan_and_apply(self, *_: Any, replace: Any, **__: Any) -> list[str]:
        self.applied.append(replace)
        if self.failures:
            raise TerraformError(self.failures.pop(0))
        return []


IN_USE = "attaching EBS Volume (vol-1): VolumeInUse: vol-1 is already attached to an instance"


@pytest.mark.parametrize(
    ("attached", "failures", "applied"),
    [
        ("vol-1", [IN_USE], [("aws_ebs_volume.data[0]",), ()]),
        ("vol-1", [IN_USE, IN_USE], None),
        ("vol-1", ["no capacity"], None),
        (None, [IN_USE], None),
    ],
    ids=["at the same moment", "again and again", "another failure", "somebody else's hand"],
)
def test_terraform_goes_on_where_it_met_our_hand(
    attached: str | None, failures: list[str], applied: list[Any] | None
) -> None:
    terraform, told = Terraform(failures), list[Any]()
    world: Any = SimpleNamespace(report=told.append)
    ready: Any = Ready(terraform)
    meter: Any = SimpleNamespace(terraform=None, expect=None)
    hand: Any = SimpleNamespace(attached=attached, heard=None)
    if applied is None:
        with pytest.raises(TerraformError):
            applying._apply_twice(world, ready, meter, hand)
    else:
        applying._apply_twice(world, ready, meter, hand)
        assert terraform.applied == applied


@dataclasses.dataclass(frozen=True)
class Ready:
    """As much of what is prepared as an apply looks at."""

    terraform: Terraform
    plan: None = None
    anew: tuple[str, ...] = ("aws_ebs_volume.data[0]",)
