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
PROVIDER = "hashicorp/aws"


def find(environment: Mapping[str, str]) -> Path | None:
    """A directory for `terraform init -plugin-dir`; None when there is none on this computer."""
    for candidate in _candidates(environment):
        if _holds_provider(candidate):
            return candidate
    return None


def implied(environment: Mapping[str, str]) -> Path:
    """Where Terraform looks by itself, of the directories that belong to the user."""
    return _home(environment) / ".terraform.d" / "plugins"


def link(environment: Mapping[str, str]) -> Path | None:
    """Terraform finds the mirror by itself; its directory, None when there is no mirror.

    A directory of the user's own that already stands there is left alone.
    """
    # Terraform follows links to packages, and to the whole directory, but to nothing between:
    # https://github.com/hashicorp/terraform/blob/v1.11.4/internal/getproviders/filesystem_search.go
    provider = implied(environment) / HOSTNAME / PROVIDER
    if provider.parent.is_symlink():
        provider.parent.unlink()
    mirror = find(environment)
    if mirror is None or mirror == implied(environment):
        return mirror
    for package in _packages(mirror):
        place = provider / package.relative_to(mirror / HOSTNAME / PROVIDER)
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a link whose target is gone
        place.symlink_to(package)
    return mirror


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


def _holds_provider(mirror: Path) -> bool:
    return bool(_packages(mirror))


def _packages(mirror: Path) -> list[Path]:
    """Packed (…_VERSION_OS_ARCH.zip) or unpacked (VERSION/OS_ARCH/), for this computer."""
    provider = mirror / HOSTNAME / PROVIDER
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
