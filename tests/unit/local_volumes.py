"""Asking the embedded EC2's API for volumes and snapshots in short forms."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.local_api import Machines, run, wait_for
from wrapper.local.api import imaginary

if TYPE_CHECKING:
    from collections.abc import Callable


ZONE = "us-east-1a"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    monkeypatch.setattr(imaginary, "TRANSITION_SECONDS", 0.05)
    return Machines()


def make(ec2: Any, **asked: Any) -> str:
    wanted = {"AvailabilityZone": ZONE, "Size": 50, "VolumeType": "gp3", **asked}
    return str(ec2.create_volume(**wanted)["VolumeId"])


def volume(ec2: Any, volume_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    return found


def snapshot(ec2: Any, snapshot_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def machine(ec2: Any, *, state: str = "running", zone: str = ZONE) -> str:
    instance = run(ec2, Placement={"AvailabilityZone": zone})
    wait_for(ec2, instance, "running")
    if state == "stopped":
        ec2.stop_instances(InstanceIds=[instance])
        wait_for(ec2, instance, "stopped")
    return instance


def attach(ec2: Any, volume_id: str, instance: str, device: str = "/dev/sdf") -> None:
    ec2.attach_volume(VolumeId=volume_id, InstanceId=instance, Device=device)
    until(lambda: attachment(ec2, volume_id) == "attached")


def attachment(ec2: Any, volume_id: str) -> str | None:
    found = volume(ec2, volume_id)["Attachments"]
    return str(found[0]["State"]) if found else None


def completed(ec2: Any, snapshot_id: str) -> str:
    until(lambda: snapshot(ec2, snapshot_id)["State"] == "completed")
    return snapshot_id


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    pairs = [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": pairs}]
