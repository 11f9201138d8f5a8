"""What the user asks for, checked before anything is made, and the module's variables. Pure."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper import domain_settings, hours, role_settings
from wrapper.cidrs import check_cidr
from wrapper.data_settings import NO_DATA, check_data
from wrapper.errors import SettingsError
from wrapper.market_settings import AUTO, ON_DEMAND, ZONE, check_one_market

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_NAME = "notebook"
DEFAULT_TYPE = "t3.large"
"""The module's own default, for questions asked before Terraform runs."""
LETSENCRYPT = "letsencrypt"
DEFAULT_DATA_GIB = 50
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_REPOSITORY = re.compile(r"https://[^/@?#\s]+(/[A-Za-z0-9._~-]+)+/?(@[A-Za-z0-9._/-]+)?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `up` was asked for; None is "not said"."""

    acme_ca: str | None = None
    """PEM that the directory's own certificate is verified by."""
    acme_directory: str | None = None
    """Whom `tls` asks; Let's Encrypt unless said."""
    ami_id: str | None = None
    allow: tuple[str, ...] | None = None
    allow_world: bool | None = None
    bucket: str | None = None
    """NAME or NAME/PREFIX in S3, which the machine may use."""
    data_snapshot_id: str | None = None
    """What a new data volume starts from; NO_DATA: from nothing, whatever is kept."""
    data_volume_id: str | None = None
    """One that exists, in place of a new one."""
    data_volume_size: int | None = None
    """In GiB; 0 is none."""
    domain: str | None = None
    elastic_ip: bool | None = None
    environment: str | None = None
    """Contents of the environment.yml."""
    fallback: tuple[str, ...] | None = None
    """What may be tried, in this order, where EC2 gives no such machine; see `fallbacks`."""
    https: bool | None = None
    idle_minutes: float | None = None
    """After which an unused machine stops by itself; 0 is never."""
    instance_type: str | None = None
    max_hours: float | None = None
    """That a machine runs in any case; 0 is no limit."""
    market: str | None = None
    """spot, on-demand, or auto: spot with a fallback unless one is named."""
    miniforge_sha256: str | None = None
    miniforge_url: str | None = None
    on_interruption: str | None = None
    """What EC2 does with a spot machine that it needs back: stop, hibernate or terminate."""
    owner: str | None = None
    repository: str | None = None
    """https://HOST/PATH[@BRANCH], cloned into the work folder."""
    root_volume_size: int | None = None
    session_manager: bool | None = None
    """ssh by AWS's Session Manager, with no port open."""
    spot: bool | None = None
    ssh: bool | None = None
    """With a key made for it, for whoever may reach the notebook."""
    ssh_cidrs: tuple[str, ...] | None = None
    ssh_public_key: str | None = None
    subnet_id: str | None = None
    sudo: bool | None = None
    tags: dict[str, str] | None = None
    tls: str | None = None
    """self-signed or letsencrypt."""
    zone_id: str | None = None
    """Of Route 53, in which the domain's record is made."""

    def over(self, before: dict[str, Any]) -> Settings:
        """These, and where they say nothing, those of before."""
        known = {one.name for one in dataclasses.fields(self)}
        kept = {key: _frozen(value) for key, value in before.items() if key in known}
        said = self.said()
        if self.market is not None:
            check_one_market(self.market, self.spot)
            said["spot"] = self.market != ON_DEMAND
        elif self.spot is not None:
            kept.pop("market", None)
        return Settings(**{**kept, **said})

    def said(self) -> dict[str, Any]:
        """Only what was said."""
        pairs = ((one.name, getattr(self, one.name)) for one in dataclasses.fields(self))
        return {name: value for name, value in pairs if value is not None}

    def variables(self, *, name: str, generation: int) -> dict[str, Any]:
        """The module's variables. What was not said keeps the module's default."""
        values = self.said()
        for ours in ("fallback", "market", "ssh"):
            values.pop(ours, None)
        if self.data_snapshot_id == NO_DATA:
            values.pop("data_snapshot_id")
        if self.max_hours is not None:
            values["max_hours"] = hours.for_the_module(self.max_hours)
        values["allowed_cidrs"] = values.pop("allow", ())
        values |= {"name": name, "generation": generation}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in sorted(values.items())
        }

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What may be tried where EC2 gives no such machine: "zone", a type, "on-demand"."""
        implied = (ZONE, ON_DEMAND) if self.market == AUTO else ()
        found = implied if self.fallback is None else self.fallback
        pointless = {ON_DEMAND} if not self.spot else set()
        if self.subnet_id is not None:
            pointless.add(ZONE)
        return tuple(one for one in found if one not in pointless)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def check_name(name: str) -> str:
    """The name; SettingsError when no deployment can have it."""
    if _NAME.fullmatch(name):
        return name
    raise SettingsError(
        f'"{name}" cannot be a deployment\'s name: 1 to 32 lower-case letters, digits and '
        "hyphens, beginning with a letter, not ending with a hyphen.",
        hint=f"For example: python -m wrapper up {_suggest(name)}",
    )


def _suggest(name: str) -> str:
    cleaned = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:32].rstrip("-")
    return cleaned or DEFAULT_NAME


def check(settings: Settings) -> Settings:
    """The settings; SettingsError for what is wrong on the face of it."""
    world = bool(settings.allow_world)
    for option, cidrs in (("--allow", settings.allow), ("--ssh-cidr", settings.ssh_cidrs)):
        for cidr in cidrs or ():
            check_cidr(cidr, option=option, world=world)
    if settings.ssh_cidrs and not (settings.ssh_public_key or settings.ssh):
        raise SettingsError(
            "--ssh-cidr without --ssh-public-key: nobody could log in.",
            hint="Add: --ssh, or --ssh-public-key ~/.ssh/id_ed25519.pub",
        )
    if settings.subnet_id and settings.fallback and ZONE in settings.fallback:
        raise SettingsError(
            f"--fallback {ZONE} with --subnet-id {settings.subnet_id}: a subnet is in one zone.",
            hint="Leave one of them out; --fallback none forgets it.",
        )
    if (settings.miniforge_url is None) != (settings.miniforge_sha256 is None):
        raise SettingsError(
            "--miniforge-url and --miniforge-sha256 go together: an installer is never run "
            "unchecked.",
            hint="sha256sum Miniforge3-*.sh",
        )
    hours.check_hours(settings.max_hours, option="--hours")
    hours.check_minutes(settings.idle_minutes)
    check_data(
        volume=settings.data_volume_id,
        snapshot=settings.data_snapshot_id,
        gib=settings.data_volume_size,
    )
    if settings.repository is not None and not _REPOSITORY.fullmatch(settings.repository):
        raise SettingsError(
            "--repo is neither https://HOST/PATH[@BRANCH], with no user, password or token in it, "
            "nor git@HOST:PATH[@BRANCH].",
            hint="--repo https://github.com/jupyterlab/jupyterlab-demo@main",
        )
    role_settings.check_bucket(settings.bucket)
    asks = settings.tls == LETSENCRYPT
    domain_settings.check_authority(
        asks=asks, directory=settings.acme_directory, ca=settings.acme_ca
    )
    domain_settings.check_zone(
        settings.zone_id, domain=settings.domain, fixed=settings.elastic_ip is not False
    )
    return settings


PLAIN = (
    "acme_directory",
    "ami_id",
    "bucket",
    "data_snapshot_id",
    "data_volume_id",
    "data_volume_size",
    "domain",
    "elastic_ip",
    "https",
    "idle_minutes",
    "instance_type",
    "market",
    "max_hours",
    "miniforge_sha256",
    "miniforge_url",
    "on_interruption",
    "owner",
    "repository",
    "root_volume_size",
    "session_manager",
    "spot",
    "ssh",
    "subnet_id",
    "sudo",
    "tls",
    "zone_id",
)
"""Settings that are what was typed."""


AT_FIRST_BOOT = (
    "acme_ca",
    "acme_directory",
    "ami_id",
    "bucket",
    "domain",
    "environment",
    "miniforge_sha256",
    "miniforge_url",
    "repository",
    "ssh_public_key",
    "sudo",
    "tls",
)
"""Settings that a machine is told once: for a running one they change nothing."""


def tags(given: Iterable[str]) -> dict[str, str]:
    """Of KEY=VALUE words. SettingsError when one is none."""
    found = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise SettingsError(f"--tag {word} is not KEY=VALUE.", hint="--tag project=moon")
        found[key] = value
    return found
