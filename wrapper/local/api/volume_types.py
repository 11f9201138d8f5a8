"""What the types of volumes have and may be asked for.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html, as of 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moto.ec2.exceptions import EC2ClientError


@dataclass(frozen=True)
class VolumeType:
    """GiB at most; IOPS and MiB/s, least (which it has unasked) and most, where it takes any."""

    gib: tuple[int, int]
    iops: tuple[int, int] | None = None
    throughput: tuple[int, int] | None = None
    iops_required: bool = False


TYPES: Final = {
    "gp2": VolumeType((1, 16384)),
    "gp3": VolumeType((1, 65536), (3000, 80000), (125, 2000)),
    "io1": VolumeType((4, 16384), (100, 64000), iops_required=True),
    "io2": VolumeType((4, 65536), (100, 256000), iops_required=True),
    "sc1": VolumeType((125, 16384)),
    "st1": VolumeType((125, 16384)),
    "standard": VolumeType((1, 1024)),
}


def check_performance(kind: str, gib: int, iops: int | None, throughput: int | None) -> None:
    """The type takes that size and these numbers; EC2ClientError otherwise."""
    facts = TYPES.get(kind)
    if facts is None:
        raise EC2ClientError(
            "InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid."
        )
    least, most = facts.gib
    if not least <= gib <= most:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Volume of {gib}GiB is too {'small' if gib < least else 'large'} for volume type "
            f"{kind}; it takes {least} to {most} GiB",
        )
    if facts.iops_required and not iops:
        raise EC2ClientError(
            "MissingParameter", f"The parameter iops must be specified for {kind} volumes."
        )
    for name, asked, limits in (
        ("iops", iops, facts.iops),
        ("throughput", throughput, facts.throughput),
    ):
        if asked and limits is None:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"The parameter {name} is not supported for {kind} volumes.",
            )
        if asked and limits and not limits[0] <= int(asked) <= limits[1]:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Volume {name} of {asked} is not supported; {kind} takes {limits[0]} to "
                f"{limits[1]}",
            )


def performance(
    kind: str, gib: int, iops: int | None, throughput: int | None
) -> tuple[int | None, int | None]:
    """IOPS and MiB/s that the volume has: what was asked for, else what the type brings."""
    facts = TYPES[kind]
    if kind == "gp2":
        return min(16000, max(100, 3 * gib)), None
    return (
        int(iops) if iops else facts.iops and facts.iops[0],
        int(throughput) if throughput else facts.throughput and facts.throughput[0],
    )
