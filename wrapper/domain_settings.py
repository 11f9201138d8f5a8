"""What `up` was asked of the notebook's name and certificate, checked beforehand. Pure."""

from __future__ import annotations

import re

from wrapper.errors import SettingsError

_DIRECTORY = re.compile(r"https://[^@\s]+")
_ZONE = re.compile(r"[0-9A-Z]{4,32}")


def check_authority(*, asks: bool, directory: str | None, ca: str | None) -> None:
    """Whom it asks for a certificate is said where it asks anybody. SettingsError."""
    if not asks and (directory or ca):
        raise SettingsError(
            "--acme-directory and --acme-ca say whom --tls letsencrypt asks.",
            hint="--tls letsencrypt",
        )
    if directory and not _DIRECTORY.fullmatch(directory):
        raise SettingsError(
            f"--acme-directory {directory} is not https://HOST/PATH.",
            hint="--acme-directory https://acme-staging-v02.api.letsencrypt.org/directory",
        )


def check_zone(zone: str | None, *, domain: str | None, fixed: bool) -> None:
    """The zone has a name to hold, of an address that stays. SettingsError."""
    if zone is None:
        return
    if not _ZONE.fullmatch(zone):
        raise SettingsError(
            f"--zone-id {zone} is no hosted zone's id.", hint="aws route53 list-hosted-zones"
        )
    if domain is None:
        raise SettingsError(
            f"--zone-id {zone} says where a name's record is made, and no name is said.",
            hint="--domain notebook.example.org",
        )
    if not fixed:
        raise SettingsError(
            "--zone-id makes the record of an Elastic IP: without one the address changes with "
            "every start.",
            hint="Leave --no-elastic-ip out.",
        )
