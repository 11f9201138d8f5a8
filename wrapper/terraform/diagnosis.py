"""Terraform's complaints in words, each with the next command to type. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import clock, refusals
from wrapper.errors import (
    CloudsError,
    CredentialsError,
    DiskError,
    LockedError,
    RequestError,
    SettingsError,
    TerraformError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.terraform.events import Diagnostic

_DOCTOR = "python -m wrapper doctor"

_KNOWN: tuple[tuple[tuple[str, ...], type[CloudsError], str], ...] = (
    (("no valid credential sources", "NoCredentialProviders"), CredentialsError, _DOCTOR),
    (
        ("ExpiredToken", "RequestExpired", "InvalidClientTokenId", "AuthFailure", "security token"),
        CredentialsError,
        _DOCTOR,
    ),
    (
        ("UnauthorizedOperation", "AccessDenied", "not authorized to perform"),
        CredentialsError,
        "The policy that is needed: docs/aws.md",
    ),
    (
        ("AddressLimitExceeded",),
        TerraformError,
        "Release an address that you do not use, or: --no-elastic-ip",
    ),
    (
        ("VolumeModificationRateExceeded", "IncorrectModificationState"),
        TerraformError,
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
        "EC2 changes a volume four times a day, once at a time. Later: python -m wrapper up",
    ),
    (
        ("no matching Route 53 Hosted Zone found",),
        RequestError,
        "--zone-id of a zone that there is: aws route53 list-hosted-zones",
    ),
    (("Error acquiring the state lock",), LockedError, "Wait for it: pgrep -a terraform"),
    (("no space left on device",), DiskError, "df -h ~"),
    (
        ("reading EC2 Spot Instance Request: terminated",),
        TerraformError,
        "The machine was ended outside: python -m wrapper down, then up",
    ),
    (
        (
            "failed to query available provider",
            "Failed to install provider",
            "no available releases",
        ),
        TerraformError,
        _DOCTOR,
    ),
)

_ASKED_WRONGLY = (
    "Invalid value for variable",
    "Invalid value for input variable",
    "Resource postcondition failed",
    "Resource precondition failed",
    "Check block assertion failed",
    "Module output value precondition failed",
)


def explain(
    command: str,
    diagnostics: Sequence[Diagnostic],
    *,
    began: bool,
    stderr: str = "",
    log: str = "",
) -> CloudsError:
    """The error to raise for a Terraform that failed with these diagnostics.

    `began`: something may have been made or changed.
    """
    errors = [item for item in diagnostics if item.severity == "error"]
    text = "\n".join(str(item) for item in errors) or _words(stderr)
    if errors and not began and all(one.summary in _ASKED_WRONGLY for one in errors):
        # Nothing has been made yet: these are wrong inputs, not failures.
        kind = SettingsError if errors[0].summary.startswith("Invalid") else RequestError
        return kind("\n".join(item.detail or item.summary for item in errors))
    if refusal := refusals.find(text):
        return refusals.error(refusal, told=_of_ec2(text))
    if of_the_clock := clock.blamed(text):
        return TerraformError(f"terraform {command}: {text}", hint=of_the_clock)
    for marks, known, hint in _KNOWN:
        if any(mark.lower() in text.lower() for mark in marks):
            return known(f"terraform {command}: {text}", hint=hint)
    reason = text or "no reason given"
    return TerraformError(
        f"terraform {command} failed: {reason}", hint=f"less {log}" if log else None
    )


def _of_ec2(text: str) -> str:
    """EC2's own sentence out of Terraform's chain of what failed because of what."""
    return text.rpartition("api error ")[2].strip()[:500]


def _words(stderr: str) -> str:
    """Without Terraform's box around them, and without its grumbling about its own settings."""
    errors = stderr.partition("Error: ")[2] or stderr
    return errors.strip()[-2000:]
