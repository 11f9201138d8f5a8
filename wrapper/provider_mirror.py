"""A mirror of Terraform's providers on this computer's disk, for when the registry is out of reach.

`python -m wrapper.provider_mirror link` makes it one that Terraform finds by itself.
https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOSTNAME = "registry.terraform.io"
OPENTOFUS = "registry.opentofu.org"
"""What OpenTofu takes `hashicorp/aws` to be short for: a mirror has to have it by that name.

https://opentofu.org/docs/language/providers/requirements/#source-addresses
"""
PROVIDER = "hashicorp/aws"


def hostname(binary: str) -> str:
    """The registry by whose name that program, Terraform or OpenTofu, knows its providers."""
    return OPENTOFUS if Path(binary).resolve().name.startswith("tofu") else HOSTNAME


def find(environment: Mapping[str, str], binary: str | None = None) -> Path | None:
    """A directory for `init -plugin-dir` of that program, or of either; None when there is none."""
    names = [hostname(binary)] if binary else [HOSTNAME, OPENTOFUS]
    for candidate in _candidates(environment):
        if any(_packages(candidate, name) for name in names):
            return candidate
    return None


def implied(environment: Mapping[str, str]) -> Path:
    """Where Terraform looks by itself, of the directories that belong to the user."""
    return _home(environment) / ".terraform.d" / "plugins"


def link(environment: Mapping[str, str]) -> Path | None:
    """Terraform and OpenTofu find the mirror by themselves; its directory, None without a mirror.

    A directory of the user's own that already stands there is left alone.
    """
    # Terraform follows links to packages, and to the whole directory, but to nothing between:
    # https://github.com/hashicorp/terraform/blob/v1.11.4/internal/getproviders/filesystem_search.go
    providers = [implied(environment) / name / PROVIDER for name in (HOSTNAME, OPENTOFUS)]
    for provider in providers:
        if provider.parent.is_symlink():
            provider.parent.unlink()
    mirror = find(environment)
    if mirror is None:
        return None
    for name in (HOSTNAME, OPENTOFUS):
        for package in _packages(mirror, name):
            for provider in providers:
                _put(provider / package.relative_to(mirror / name / PROVIDER), package)
    return mirror


def _put(place: Path, package: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a link whose target is gone
        place.symlink_to(package)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = _home(environment)
    yield implied(environment)
    yield home / ".local" / "share" / "terraform" / "plugins"
    for named in filter(None, environment.get("XDG_DATA_DIRS", "").split(":")):
        yield Path(named) / "terraform" / "plugins"
    for base in (Path("/usr/local/share"), Path("/usr/share")):
        yield base / "terraform" / "plugins"
        yield from _children(base)
    for child in _children(Path("/opt")):
        yield child
        yield from (child / name for name in ("plugins", "providers", "share/terraform/plugins"))


def _children(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _packages(mirror: Path, name: str) -> list[Path]:
    """Packed (…_VERSION_OS_ARCH.zip) or unpacked (VERSION/OS_ARCH/), for this computer."""
    provider = mirror / name / PROVIDER
    here = _platform()
    try:
        unpacked = [one for one in provider.glob(f"*/{here}") if any(one.glob("*"))]
        return sorted([*unpacked, *provider.glob(f"*_{here}.zip")])
    except OSError:
        return []


def _platform() -> str:
    machine = platform.machine().lower()
    known = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{platform.system().lower()}_{known.get(machine, machine)}"


def _home(environment: Mapping[str, str]) -> Path:
    named = environment.get("HOME")
    return Path(named) if named else Path.home()


def main(arguments: list[str]) -> int:
    """The exit code: 0 linked, 1 no mirror, 2 usage."""
    if arguments != ["link"]:
        print("usage: python -m wrapper.provider_mirror link", file=sys.stderr)
        return 2
    mirror = link(os.environ)
    if mirror is None:
        print(
            f"provider mirror: none on this computer holds {PROVIDER} for {_platform()}. "
            "Terraform needs a way to its registry, or a mirror:\n"
            "  terraform providers mirror ~/.terraform.d/plugins   (on a computer that has a way)",
            file=sys.stderr,
        )
        return 1
    print(f"provider mirror: {mirror}, through {implied(os.environ)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
