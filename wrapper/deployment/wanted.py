"""What `up` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrapper.aws import Needs
    from wrapper.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What `up` was asked for."""

    name: str
    settings: Settings
    new_password: Callable[[], str]
    """Called only when the deployment has none yet, or when the user named one."""
    password_said: bool = False
    """The user named a password, as opposed to letting one be made or asked."""
    generate_password: bool = False
    """The user asked for one to be made."""
    packages: dict[str, Any] | None = None
    """What `environment_file` read and user data has no room for."""
    local: bool = False
    region: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    watch: bool = False
    """Wait for as long as it takes, where EC2 took the machine back; then stay and watch."""
    fresh: bool = False
    """Begin with Ubuntu's image, whatever was baked."""
    replace: bool = False
    """Another machine, with the newest image, set-up and environment."""
    from_region: str | None = None
    """Where the snapshot is that the data starts from."""
    needs: Needs | None = None
    """What the machine has to have, where no type was named."""
    regions: tuple[str, ...] = ()
    """Where it may be found; none: the region in use."""
    another_type: bool = False
    """The type is meant, whatever EC2 had in the place of the last; all else stays."""
    zone: str | None = None
    """Where a new deployment is to be, if its data lets it."""
    max_price: float | None = None
    """US dollars an hour that the machine may cost."""
