"""Where a deployment lives, and the way there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import environment
from wrapper.deployment.events import Note
from wrapper.errors import AddressError, CredentialsError, LocalError, UsageError
from wrapper.home import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.aws import Aws
    from wrapper.deployment.world import World
    from wrapper.home import Record

_EMBEDDED_INTERNET = "198.18.0.1"


@dataclass(frozen=True)
class Way:
    """A place, and what it takes to act there."""

    place: Place
    aws: Aws
    local: Mapping[str, str] | None
    """The embedded EC2's variables; None on AWS."""

    def for_terraform(self, world: World) -> dict[str, str]:
        """The environment of Terraform."""
        kept = environment.for_terraform(world.environment, self.local)
        return kept | {"AWS_REGION": self.place.region, "AWS_DEFAULT_REGION": self.place.region}


def choose(world: World, *, local: bool, region: str | None, before: Record | None) -> Way:
    """The way to where `up` shall make things. UsageError when the deployment lives elsewhere."""
    if before and not before.ended:
        local = _same_kind(before, local=local)
        region = region or before.place.region
    variables = _start_embedded(world) if local else None
    way = _way(world, variables, region)
    if before and not before.ended and way.place != before.place:
        raise _elsewhere(before, f"not in {way.place}")
    return way


def back_to(world: World, record: Record) -> Way:
    """The way to where the deployment is. LocalError, CredentialsError when there is none."""
    variables = running_embedded(world) if record.place.kind == "local" else None
    return _way(world, variables, record.place.region, expected=record.place)


def search(world: World, *, local: bool, region: str | None) -> Way:
    """The way to a place where nothing is remembered to be."""
    return _way(world, running_embedded(world) if local else None, region)


def own_cidr(world: World, *, local: bool) -> str:
    """The caller's own address as the machine will see it, as a CIDR block. AddressError."""
    if not local:
        return f"{world.public_address()}/32"
    # The kernel knows which address it would use; connecting a datagram socket sends nothing.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_EMBEDDED_INTERNET, 9))
        except OSError as error:
            raise AddressError(
                f"No route to the embedded EC2's addresses: {error.strerror}.",
                hint="python -m wrapper local stop, then local start",
            ) from error
        return f"{probe.getsockname()[0]}/32"


def _way(
    world: World,
    variables: Mapping[str, str] | None,
    region: str | None,
    *,
    expected: Place | None = None,
) -> Way:
    aws = world.aws(environment=environment.for_aws(world.environment, variables), region=region)
    if expected and variables is not None:
        return Way(expected, aws, variables)  # nobody else's credentials lead there
    account = aws.identity().account
    if expected and account != expected.account:
        raise CredentialsError(
            f"The deployment is in AWS account {expected.account}; "
            f"these credentials are for {account}.",
            hint="Name the right ones: export AWS_PROFILE=...",
        )
    place = Place("aws" if variables is None else "local", aws.region, account)
    return Way(place, aws, variables)


def _start_embedded(world: World) -> Mapping[str, str]:
    return world.embedded().start(report=lambda text: world.report(Note(text))).env


def running_embedded(world: World) -> Mapping[str, str]:
    """Its variables. LocalError when it does not run."""
    status = world.embedded().status()
    if status.stage:
        raise LocalError(
            f"The embedded EC2 (process {status.pid}) is {status.stage}.",
            hint="Again in a moment, or: less " + status.log,
        )
    if not status.running:
        raise LocalError(
            "The embedded EC2 does not run.",
            hint="python -m wrapper local start; what ran on it is gone: "
            "python -m wrapper down, then up --local",
        )
    return status.env


def embedded_runs(world: World) -> bool:
    """Whether it does; if not, nothing that was on it is left. LocalError when it is not known."""
    embedded = world.embedded()
    if embedded.settled(report=lambda text: world.report(Note(text))).running:
        return True
    embedded.clear()
    return False


def _same_kind(before: Record, *, local: bool) -> bool:
    if local and before.place.kind == "aws":
        raise _elsewhere(before, "not in the embedded EC2")
    return before.place.kind == "local"


def _elsewhere(before: Record, not_there: str) -> UsageError:
    return UsageError(
        f"{before.name} is in {before.place}, {not_there}.",
        hint=f"Take another name (python -m wrapper up OTHER ...), or first: "
        f"python -m wrapper down {before.name}",
    )
