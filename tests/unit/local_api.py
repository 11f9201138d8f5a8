"""Asking the embedded EC2's API: short forms, and machines whose states a test decides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.ec2 import served
from wrapper.errors import LocalError
from wrapper.local.api.imaginary import TRANSITION_SECONDS, ImaginaryMachines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ec2 import Account
    from wrapper.local.machines import MachineSpec, State

ROOT = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "Encrypted": True}}


class Clock:
    """Seconds since 1970 that pass when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Machines(ImaginaryMachines):
    """Imaginary machines whose states a test may decide itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self.decided: dict[str, State] = {}
        self.full = False
        self.stopped_by_force: list[str] = []
        self.rebooted: list[str] = []
        """For an image."""

    def launch(self, spec: MachineSpec) -> None:
        if self.full:
            raise LocalError("the disk of this computer is full")
        super().launch(spec)

    def create_root_snapshot(self, snapshot_id: str, instance_id: str, *, reboot: bool) -> None:
        if reboot and self.state(instance_id) == "running":
            self.rebooted.append(instance_id)
        super().create_root_snapshot(snapshot_id, instance_id, reboot=reboot)

    def start(self, instance_id: str) -> None:
        self.decided.pop(instance_id, None)
        super().start(instance_id)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        if force:
            self.stopped_by_force.append(instance_id)
        super().stop(instance_id, force=force)

    def terminate(self, instance_id: str, *, force: bool = False) -> None:
        if force:
            self.stopped_by_force.append(instance_id)
        self.decided.pop(instance_id, None)
        super().terminate(instance_id, force=force)

    def state(self, instance_id: str) -> State:
        return self.decided.get(instance_id) or super().state(instance_id)

    def console(self, instance_id: str) -> bytes:
        del instance_id
        return b"x" * 70_000 + b"the end\n"


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def account(machines: Machines) -> Iterator[Account]:
    with served(machines) as account:
        yield account


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client()


def image(ec2: Any, name: str = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-*") -> str:
    found = ec2.describe_images(Filters=[{"Name": "name", "Values": [name]}])["Images"]
    return str(max(found, key=lambda one: one["CreationDate"])["ImageId"])


def run(ec2: Any, **request: Any) -> str:
    asked = {"ImageId": image(ec2), "InstanceType": "t3.large", "MinCount": 1, "MaxCount": 1}
    return str(ec2.run_instances(**{**asked, **request})["Instances"][0]["InstanceId"])


def describe(ec2: Any, instance_id: str) -> dict[str, Any]:
    found = ec2.describe_instances(InstanceIds=[instance_id])
    instance: dict[str, Any] = found["Reservations"][0]["Instances"][0]
    return instance


def wait_for(ec2: Any, instance_id: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while (instance := describe(ec2, instance_id))["State"]["Name"] != state:
        assert time.monotonic() < deadline, instance["State"]
        time.sleep(0.05)
    return instance


def settled(ec2: Any, instance_id: str, state: str, clock: Clock) -> dict[str, Any]:
    """The instance a moment later, when its transition is over."""
    describe(ec2, instance_id)
    clock.advance(TRANSITION_SECONDS)
    instance = describe(ec2, instance_id)
    assert instance["State"]["Name"] == state
    return instance


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def request(ec2: Any, **asked: Any) -> str:
    specification = {
        "BlockDeviceMappings": [ROOT],
        "ImageId": image(ec2),
        "InstanceType": "t3.large",
        "UserData": "I2Nsb3VkLWNvbmZpZwo=",
        **asked.pop("LaunchSpecification", {}),
    }
    asked = {"Type": "persistent", "InstanceInterruptionBehavior": "stop", **asked}
    made = ec2.request_spot_instances(LaunchSpecification=specification, **asked)
    return str(made["SpotInstanceRequests"][0]["SpotInstanceRequestId"])


def standing(ec2: Any, request_id: str) -> tuple[str, str, str | None]:
    found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request_id])
    one = found["SpotInstanceRequests"][0]
    return one["State"], one["Status"]["Code"], one.get("InstanceId")


class SpotStage:
    """An account with one spot machine, and the hand on its market."""

    def __init__(self, account: Account, machines: Machines, clock: Clock) -> None:
        self.control, self.machines, self.clock = account.control, machines, clock
        self.ec2 = account.client()
        self.request_id = self.machine = ""

    def fulfil(self, **asked: Any) -> None:
        """The request has its machine, which runs."""
        self.request_id = request(self.ec2, **asked)
        machine = standing(self.ec2, self.request_id)[2]
        assert machine is not None
        self.machine = machine
        settled(self.ec2, machine, "running", self.clock)

    def pass_(self, seconds: float) -> tuple[str, str, str]:
        """State and status of the request, state of the machine, so many seconds later."""
        self.clock.advance(seconds)
        self.control.tick()
        state, code, _ = standing(self.ec2, self.request_id)
        return state, code, describe(self.ec2, self.machine)["State"]["Name"]
