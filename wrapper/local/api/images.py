"""The catalogue of images: Canonical's, Debian's and AWS's, named as they publish them.

https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
https://wiki.debian.org/Cloud/AmazonEC2Image
https://docs.aws.amazon.com/dlami/latest/devguide/appendix-ami-release-notes.html

The API says what was asked for; behind it stands one of the machine room's root file systems
(`machine_image`): a machine started from an Ubuntu image runs Debian here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.ec2.models.amis import Ami

if TYPE_CHECKING:
    from wrapper.local.api.backend import Ec2

CANONICAL: Final = "099720109477"
DEBIAN: Final = "136693071363"
AMAZON: Final = "898082745236"


@dataclass(frozen=True)
class Entry:
    """One published image, the same in every region but for its id."""

    name: str
    owner: str
    architecture: str
    description: str
    published: str
    root_device: str
    imds_support: str | None
    machine_image: str
    gib: int = 8


def _canonical(path: str, release: str, architecture: str, published: str) -> Entry:
    arm = "arm64" if architecture == "arm64" else "amd64"
    return Entry(
        name=f"{path}/{release}-{arm}-server-{published.replace('-', '')}",
        owner=CANONICAL,
        architecture=architecture,
        description=f"Canonical, Ubuntu, 24.04, {arm} noble image",
        published=published,
        root_device="/dev/sda1",
        imds_support="v2.0",
        machine_image="debian-12",
    )


def _debian(release: str, architecture: str, published: str) -> Entry:
    arm = "arm64" if architecture == "arm64" else "amd64"
    return Entry(
        name=f"debian-{release}-{arm}-{published.replace('-', '')}-2204",
        owner=DEBIAN,
        architecture=architecture,
        description=f"Debian {release} ({published})",
        published=published,
        root_device="/dev/xvda",
        # Only newer images say so: a launch from an older one must ask for IMDSv2 itself.
        imds_support=None if release == "12" else "v2.0",
        machine_image=f"debian-{release}",
    )


def _deep_learning(architecture: str, published: str) -> Entry:
    arm = "ARM64 " if architecture == "arm64" else ""
    name = f"Deep Learning {arm}Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04)"
    return Entry(
        name=f"{name} {published.replace('-', '')}",
        owner=AMAZON,
        architecture=architecture,
        description=f"{name}, without a GPU or its driver here",
        published=published,
        root_device="/dev/sda1",
        imds_support="v2.0",
        machine_image="debian-12",
        # About: no document says it.
        gib=75,
    )


CATALOGUE: Final = tuple(
    entry
    for architecture in ("x86_64", "arm64")
    for entry in (
        _canonical("ubuntu/images/hvm-ssd-gp3", "ubuntu-noble-24.04", architecture, "2026-09-12"),
        _canonical("ubuntu/images/hvm-ssd-gp3", "ubuntu-noble-24.04", architecture, "2026-11-05"),
        # Canonical's account also holds these, newer ones: a name pattern must not take them.
        _canonical(
            "ubuntu/images-testing/hvm-ssd-gp3", "ubuntu-noble-daily", architecture, "2026-11-20"
        ),
        _canonical(
            "ubuntu-pro-server/images/hvm-ssd-gp3",
            "ubuntu-noble-24.04",
            architecture,
            "2026-11-18",
        ),
        _debian("12", architecture, "2026-10-20"),
        _debian("13", architecture, "2026-11-10"),
        _deep_learning(architecture, "2026-10-06"),
        _deep_learning(architecture, "2026-11-13"),
    )
)


def image_id(region: str, entry: Entry) -> str:
    """The id of that image in that region, always the same."""
    return "ami-" + hashlib.sha256(f"{region}/{entry.name}".encode()).hexdigest()[:17]


class Image(Ami):
    """An image of the catalogue, with what Terraform and the wrapper read of it."""

    root_snapshot = None

    def __init__(self, backend: Ec2, entry: Entry) -> None:
        super().__init__(
            backend,
            image_id(backend.region_name, entry),
            name=entry.name,
            description=entry.description,
            owner_id=entry.owner,
            # What a look-up by Owners=["amazon"] finds.
            owner_alias="amazon" if entry.owner == AMAZON else None,
            public=True,
            virtualization_type="hvm",
            architecture=entry.architecture,
            creation_date=datetime.fromisoformat(entry.published).replace(tzinfo=UTC),
            image_location=f"{entry.owner}/{entry.name}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=entry.root_device,
            region_name=f"{backend.region_name}a",
            boot_mode="uefi-preferred",
        )
        self.imds_support = entry.imds_support
        self.ena_support = True
        self.machine_image = entry.machine_image
        self.ebs_snapshot.gib = entry.gib
        self.gib = entry.gib

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return [
            {
                "DeviceName": self.root_device_name,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                    "SnapshotId": self.ebs_snapshot.id,
                    "VolumeSize": self.gib,
                    "VolumeType": "gp3",
                },
            }
        ]
