"""What the user asks for, checked before anything is made, and the module's variables. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFAULT_NAME = "notebook"
DEFAULT_TYPE = "t3.large"
"""The module's own default, for questions asked before Terraform runs."""
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ AAAA[0-9A-Za-z+/]+={0,3}( [^\n]*)?")
_WORLD = 8
"""A prefix this short is as good as the whole internet."""
_UNREACHABLE = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)
"""Nobody arrives at a public address from these. 198.18.0.0/15 is not among them: the embedded
EC2's internet is there."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `up` was asked for; None is "not said"."""

    ami_id: str | None = None
    allow: tuple[str, ...] | None = None
    allow_world: bool | None = None
    domain: str | None = None
    elastic_ip: bool | None = None
    environment: str | None = None
    """Contents of the environment.yml."""
    https: bool | None = None
    instance_type: str | None = None
    miniforge_sha256: str | None = None
    miniforge_url: str | None = None
    owner: str | None = None
    root_volume_size: int | None = None
    spot: bool | None = None
    ssh_cidrs: tuple[str, ...] | None = None
    ssh_public_key: str | None = None
    subnet_id: str | None = None
    sudo: bool | None = None
    tags: dict[str, str] | None = None

    def over(self, before: dict[str, Any]) -> Settings:
        """These, and where they say nothing, those of before."""
        known = {one.name for one in dataclasses.fields(self)}
        kept = {key: _frozen(value) for key, value in before.items() if key in known}
        return Settings(**{**kept, **self.said()})

    def said(self) -> dict[str, Any]:
        """Only what was said."""
        pairs = ((one.name, getattr(self, one.name)) for one in dataclasses.fields(self))
        return {name: value for name, value in pairs if value is not None}

    def variables(self, *, name: str, generation: int) -> dict[str, Any]:
        """The module's variables. What was not said keeps the module's default."""
        values = self.said()
        values["allowed_cidrs"] = values.pop("allow", ())
        values |= {"name": name, "generation": generation}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in sorted(values.items())
        }


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
    if settings.ssh_cidrs and not settings.ssh_public_key:
        raise SettingsError(
            "--ssh-cidr without --ssh-public-key: nobody could log in.",
            hint="Add: --ssh-public-key ~/.ssh/id_ed25519.pub",
        )
    if (settings.miniforge_url is None) != (settings.miniforge_sha256 is None):
        raise SettingsError(
            "--miniforge-url and --miniforge-sha256 go together: an installer is never run "
            "unchecked.",
            hint="sha256sum Miniforge3-*.sh",
        )
    return settings


def check_cidr(cidr: str, *, option: str, world: bool) -> str:
    """The block; SettingsError: no CIDR, private, or the whole world without `world`."""
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise SettingsError(
            f"{option} {cidr} is not a CIDR block: {error}.",
            hint=f"One address is written as {option} 203.0.113.7/32",
        ) from error
    if not isinstance(network, ipaddress.IPv4Network):
        raise SettingsError(
            f"{option} {cidr}: the notebook has an IPv4 address only.",
            hint="Your IPv4 address: https://checkip.amazonaws.com",
        )
    if network.prefixlen < _WORLD and not world:
        raise SettingsError(
            f"{option} {cidr} lets in the whole internet, or as good as that.",
            hint=f"Name your own address, as in {option} 203.0.113.7/32, or, if you mean it, "
            "add --allow-world",
        )
    if any(network.subnet_of(private) for private in _UNREACHABLE):
        raise SettingsError(
            f"{option} {cidr} is private: nobody arrives at the notebook's public address "
            "from there.",
            hint="Your address as the internet sees it: https://checkip.amazonaws.com",
        )
    return cidr


PLAIN = (
    "ami_id",
    "domain",
    "elastic_ip",
    "https",
    "instance_type",
    "miniforge_sha256",
    "miniforge_url",
    "owner",
    "root_volume_size",
    "spot",
    "subnet_id",
    "sudo",
)
"""Settings that are what was typed."""


AT_FIRST_BOOT = (
    "ami_id",
    "domain",
    "environment",
    "miniforge_sha256",
    "miniforge_url",
    "ssh_public_key",
    "sudo",
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


def public_key(path: Path) -> str:
    """The file's one line. SettingsError when it is no public key."""
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The public key {path} cannot be read: {error}.", hint=f"ls -l {path}"
        ) from error
    if not _PUBLIC_KEY.fullmatch(content):
        private = "PRIVATE KEY" in content
        raise SettingsError(
            f"{path} is {'a private key' if private else 'no public key of SSH'}.",
            hint=f"--ssh-public-key {path}.pub" if private else "ssh-keygen -t ed25519",
        )
    return content
