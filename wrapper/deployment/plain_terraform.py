"""`configure`: plain `terraform apply` is safe and reachable, without the rest of this program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import home, module_copy
from wrapper import password as passwords
from wrapper.cidrs import check_cidr
from wrapper.deployment import place
from wrapper.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrapper.deployment.world import World

FILE = "jupyter-clouds.auto.tfvars.json"


@dataclass(frozen=True)
class Configured:
    """The file that Terraform reads by itself."""

    file: Path
    allowed_cidrs: tuple[str, ...]
    password: str
    """Kept nowhere: the user has to."""


def configure(
    world: World,
    directory: Path | None,
    *,
    allow: tuple[str, ...] | None,
    local: bool,
    new_password: Callable[[], str],
) -> Configured:
    """The file holds the caller's address and a password's hash. UsageError when declined."""
    target = (directory or module_copy.source()).resolve()
    if not target.is_dir():
        raise SettingsError(f"{target} is no directory.", hint=f"mkdir -p {target}")
    for cidr in allow or ():
        check_cidr(cidr, option="--allow", world=False)
    file = target / FILE
    if file.exists() and not world.confirm(f"{file} exists. Write it anew?"):
        raise UsageError(f"{file} stays as it is.", hint="python -m wrapper configure DIR")
    cidrs = allow or (place.own_cidr(world, local=local),)
    chosen = new_password()
    passwords.check_strength(chosen)
    content = {"allowed_cidrs": list(cidrs), "password_hash": passwords.hash_password(chosen)}
    home.write_private(file, json.dumps(content, indent=2) + "\n")
    return Configured(file, cidrs, chosen)
