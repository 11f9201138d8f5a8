"""What is missing on this computer or in the account, and the command that mends it."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wrapper import (
    environment,
    home,
    module_copy,
    openssh,
    provider_mirror,
    rsync,
    session_manager,
    unison,
)
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wrapper.deployment.world import World

_LEAST_FREE_GIB = 2
"""Terraform's provider alone takes 0.7."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    mend: str | None = None
    """The command that mends it."""
    way: Literal["both", "aws", "local", "files"] = "both"
    """What needs it."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def examine(world: World) -> list[Finding]:
    """Everything was looked at; nothing was changed."""
    looks: tuple[Callable[[World], Iterator[Finding]], ...] = (
        _module,
        _terraform,
        _providers,
        _disk,
        _ways,
        _account,
        _embedded,
    )
    found: list[Finding] = []
    for look in looks:
        try:
            found += look(world)
        except CloudsError as error:
            name = look.__name__.strip("_")
            way: Literal["both", "aws"] = "aws" if name == "account" else "both"
            found.append(Finding(name, ok=False, detail=error.message, mend=error.hint, way=way))
    return found


def usable(found: Sequence[Finding]) -> bool:
    """At least one way, AWS or the embedded EC2, lacks nothing."""
    missing = {one.way for one in found if not one.ok}
    return "both" not in missing and not {"aws", "local"} <= missing


def _module(_: World) -> Iterator[Finding]:
    yield Finding("module", ok=True, detail=str(module_copy.source()))


def _terraform(world: World) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as empty:
        terraform = world.terraform(
            Path(empty),
            environment=environment.for_terraform(world.environment, None),
            keep_open=(),
        )
        version = ".".join(map(str, terraform.version()))
    yield Finding("terraform", ok=True, detail=f"{version}, {terraform.binary}")


def _providers(world: World) -> Iterator[Finding]:
    mirror = provider_mirror.find(world.environment)
    where = str(mirror) if mirror else "no mirror on this disk: Terraform asks its registry"
    yield Finding("provider mirror", ok=True, detail=where)


def _disk(world: World) -> Iterator[Finding]:
    place = home.root(world.environment)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    yield Finding(
        "disk",
        ok=free >= _LEAST_FREE_GIB,
        detail=f"{free:.1f} GiB free at {place}",
        mend=f"Make room: {_LEAST_FREE_GIB} GiB are needed; df -h {place}",
    )


def _ways(world: World) -> Iterator[Finding]:
    """What `ssh`, `push`, `pull` and `sync` need; a notebook does without."""
    looks: dict[str, Callable[[], str]] = {
        "ssh": lambda: openssh.program("ssh"),
        "rsync": rsync.program,
        "unison": unison.program,
    }
    for name, look in looks.items():
        yield _way(name, look)
    if any(_by_sessions(one) for one in home.homes(world.environment)):
        yield _way("Session Manager", session_manager.check_programs)


def _way(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=look(), way="files")
    except CloudsError as error:
        return Finding(name, ok=False, detail=error.message, mend=error.hint, way="files")


def _by_sessions(one: home.Home) -> bool:
    """The notebook is there, and ssh gets to it by AWS's Session Manager."""
    try:
        record = one.record()
    except CloudsError:  # a damaged one, which every command of it tells
        return False
    return bool(record and not record.ended and one.variables().get("session_manager"))


def _account(world: World) -> Iterator[Finding]:
    aws = world.aws(environment=environment.for_aws(world.environment, None), region=None)
    identity = aws.identity()
    yield Finding("account", ok=True, detail=f"{identity.arn} in {aws.region}", way="aws")


def _embedded(world: World) -> Iterator[Finding]:
    local = world.embedded()
    missing = local.missing()
    for one in missing:
        yield Finding(one.name, ok=False, detail=one.why, mend=one.command, way="local")
    if not missing:
        running = "runs" if local.status().running else "can be started"
        yield Finding("embedded EC2", ok=True, detail=running, way="local")
