"""A volume's life with real machines: written, copied, moved, grown, kept. Needs root."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.reach import until
from tests.machine.test_local_machines import Instance, ec2, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.machine, pytest.mark.slow]
__all__ = ["ec2"]

BLOCKS = Path("/var/lib/jupyter-clouds-local/blocks")
ZONE = "us-east-1a"


class Disk:
    """One volume of the test's own."""

    def __init__(self, ec2: Any, **asked: Any) -> None:
        self.ec2 = ec2
        wanted = {"AvailabilityZone": ZONE, "VolumeType": "gp3", **asked}
        self.id = str(ec2.create_volume(**wanted)["VolumeId"])
        until(lambda: self.described()["State"] == "available")
        self.link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{self.id.replace('-', '')}"

    def described(self) -> Any:
        return self.ec2.describe_volumes(VolumeIds=[self.id])["Volumes"][0]

    def attachment(self) -> str | None:
        found = self.described()["Attachments"]
        return str(found[0]["State"]) if found else None

    def attach(self, instance: Instance, device: str = "/dev/sdf") -> None:
        self.ec2.attach_volume(VolumeId=self.id, InstanceId=instance.id, Device=device)
        until(lambda: self.attachment() == "attached")

    def detach(self, *, force: bool = False) -> None:
        self.ec2.detach_volume(VolumeId=self.id, Force=force)

    def snapshot(self) -> str:
        made = self.ec2.create_snapshot(VolumeId=self.id)["SnapshotId"]
        asked = {"SnapshotIds": [made]}
        until(lambda: self.ec2.describe_snapshots(**asked)["Snapshots"][0]["State"] == "completed")
        return str(made)

    def mount(self, instance: Instance, *, fresh: bool = False) -> None:
        self.appears(instance)
        if fresh:
            assert instance.inside("blkid", "-p", self.link, check=False) == "", "not blank"
            instance.inside("mkfs.ext4", "-q", self.link)
        instance.inside("mkdir", "-p", "/data")
        instance.inside("mount", self.link, "/data")

    def appears(self, instance: Instance) -> None:
        until(
            lambda: instance.inside("sh", "-c", f"test -b {self.link} && echo there", check=False)
        )


def restart(instance: Instance, disk: Disk, *, force: bool) -> None:
    instance.ec2.stop_instances(InstanceIds=[instance.id], Force=force)
    instance.is_("stopped")
    until(lambda: disk.id not in " ".join(loops()))  # a machine that is off has no devices
    instance.ec2.start_instances(InstanceIds=[instance.id])
    instance.is_("running")


def loops() -> list[str]:
    """Loop devices of volumes."""
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if line.startswith(str(BLOCKS))]


def told(instance: Instance, path: str) -> str:
    """What the machine's metadata says."""
    token = "curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $M/api/token"
    ask = f'M=http://169.254.169.254/latest; T="$({token})"; '
    ask += f'curl -s -H "X-aws-ec2-metadata-token: $T" $M/meta-data/{path}'
    return instance.inside("sh", "-c", ask)


@pytest.fixture
def pair(ec2: Any) -> Iterator[tuple[Instance, Instance]]:
    made = tuple(launch(ec2, Placement={"AvailabilityZone": ZONE}) for _ in range(2))
    for instance in made:
        instance.booted()
    yield made[0], made[1]
    ec2.terminate_instances(InstanceIds=[one.id for one in made])


def write(instance: Instance, name: str, text: str) -> None:
    instance.inside("sh", "-c", f"echo {text} > /data/{name}")


def test_a_volume_lives_on_through_machines_and_copies(
    ec2: Any, pair: tuple[Instance, Instance]
) -> None:
    one, other = pair
    disk = Disk(ec2, Size=1)
    disk.attach(one)
    disk.mount(one, fresh=True)
    made, copy = is_copied_as_of_a_moment(disk, one, other)
    grows_while_mounted(disk, one)
    comes_back_clean(disk, one)
    loses_only_what_was_not_synced(disk, one)
    stays_while_mounted_unless_forced(disk, one)
    disk.attach(other, "/dev/sdg")
    outlives_its_machine(disk, other, one)

    disk.detach()
    until(lambda: disk.attachment() is None)
    for volume in (disk, copy):
        ec2.delete_volume(VolumeId=volume.id)
    ec2.delete_snapshot(SnapshotId=made)
    assert list(BLOCKS.glob("*/*")) == []


def is_copied_as_of_a_moment(disk: Disk, one: Instance, other: Instance) -> tuple[str, Disk]:
    one.inside("sh", "-c", "head -c 9000000 /dev/urandom > /data/random")
    checksum = one.inside("sha256sum", "/data/random")
    write(one, "text", "before")
    made = disk.snapshot()
    write(one, "text", "after")
    copy = Disk(disk.ec2, SnapshotId=made, Size=2)
    copy.attach(other)
    copy.mount(other)
    assert other.inside("sha256sum", "/data/random") == checksum
    assert other.inside("cat", "/data/text") == "before\n"
    other.inside("umount", "/data")
    other.inside("e2fsck", "-fn", copy.link)
    return made, copy


def grows_while_mounted(disk: Disk, one: Instance) -> None:
    disk.ec2.modify_volume(VolumeId=disk.id, Size=3)
    assert one.inside("blockdev", "--getsize64", disk.link).strip() == str(3 << 30)


def comes_back_clean(disk: Disk, one: Instance) -> None:
    disk.ec2.reboot_instances(InstanceIds=[one.id])
    one.booted(2)
    disk.mount(one)
    write(one, "text", "unsynced")
    restart(one, disk, force=False)
    one.booted(3)
    disk.appears(one)
    assert ": clean" in one.inside("e2fsck", "-n", disk.link)
    assert told(one, "block-device-mapping/ebs1") == "/dev/sdf"


def loses_only_what_was_not_synced(disk: Disk, one: Instance) -> None:
    disk.mount(one)
    assert one.inside("cat", "/data/text") == "unsynced\n"
    write(one, "kept", "kept")
    one.inside("sync")
    write(one, "lost", "lost")
    restart(one, disk, force=True)
    one.booted(4)
    disk.mount(one)
    assert one.inside("ls", "/data").split() == ["kept", "lost+found", "random", "text"]


def stays_while_mounted_unless_forced(disk: Disk, one: Instance) -> None:
    disk.detach()
    until(lambda: disk.attachment() == "busy")
    time.sleep(1)
    assert disk.attachment() == "busy"
    disk.detach(force=True)
    until(lambda: disk.attachment() is None)
    assert one.inside("sh", "-c", f"test -e {disk.link} || echo gone") == "gone\n"
    one.inside("umount", "/data")


def outlives_its_machine(disk: Disk, machine: Instance, heir: Instance) -> None:
    assert machine.inside("realpath", disk.link) == "/dev/nvme2n1\n"
    disk.mount(machine)
    assert machine.inside("cat", "/data/kept") == "kept\n"
    write(machine, "last", "words")
    disk.ec2.terminate_instances(InstanceIds=[machine.id])
    machine.is_("terminated")
    until(lambda: not loops())
    disk.attach(heir)
    disk.mount(heir)
    assert heir.inside("cat", "/data/last") == "words\n"
    heir.inside("umount", "/data")
