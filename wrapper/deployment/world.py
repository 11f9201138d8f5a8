"""The world that the stories act on, handed in by the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from wrapper.environment import for_aws

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wrapper.aws import Aws
    from wrapper.deployment.events import Event
    from wrapper.deployment.place import Way
    from wrapper.local import Requirement, Status
    from wrapper.notebook import Notebook, Pin
    from wrapper.terraform import Terraform


PORT = 9999
TIMEOUT = 10.0
"""Seconds to wait for a notebook that should answer."""


@dataclass(frozen=True)
class Address:
    """Where to connect to: by number, unless the certificate is one that the user brought."""

    host: str
    port: int = PORT
    domain: str | None = field(default=None, compare=False)
    """What its certificate may name instead."""

    @property
    def url(self) -> str:
        """As the notebook adapter takes it."""
        return f"https://{self.host}:{self.port}/"


class Embedded(Protocol):
    """The embedded EC2's door."""

    def start(self, *, report: Callable[[str], None] | None = None) -> Status:
        """It runs."""
        ...

    def stop(self) -> Status:
        """It does not run, and nothing of it is left."""
        ...

    def status(self) -> Status:
        """Whether it runs, and where."""
        ...

    def settled(self, *, report: Callable[[str], None] | None = None) -> Status:
        """Likewise, once it runs or its process is gone."""
        ...

    def clear(self) -> None:
        """Nothing of one that ended is left on this computer."""
        ...

    def capacity(
        self,
        verb: str,
        *,
        zone: str | None = None,
        instance_type: str | None = None,
        market: str = "both",
    ) -> None:
        """There is none of it, or it is back."""
        ...

    def interrupt(
        self, instance_id: str, *, after: float | None = None, notice: bool = True
    ) -> dict[str, Any]:
        """The spot machine is interrupted for want of capacity."""
        ...

    def missing(self) -> list[Requirement]:
        """What this computer lacks for it."""
        ...


class MakeAws(Protocol):
    """Makes the EC2 adapter."""

    def __call__(self, *, environment: Mapping[str, str], region: str | None) -> Aws:
        """One account in one region."""
        ...


class MakeTerraform(Protocol):
    """Makes the Terraform adapter."""

    def __call__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        keep_open: Sequence[int],
        cancelled: threading.Event | None = None,
    ) -> Terraform:
        """One root module."""
        ...


class MakePin(Protocol):
    """Looks whose key answers."""

    def __call__(  # noqa: PLR0913 (as its pin)
        self,
        host: str,
        port: int,
        *,
        key_sha256: str,
        domain: str | None,
        timeout: float,
        environment: Mapping[str, str],
    ) -> Pin:
        """The one certificate to trust from now on."""
        ...


class MakeNotebook(Protocol):
    """Makes the notebook adapter."""

    def __call__(
        self,
        url: str,
        pin: Pin,
        password: str,
        *,
        timeout: float,
        environment: Mapping[str, str],
    ) -> Notebook:
        """One live notebook."""
        ...


def _default(_: str, __: Sequence[str], default: str) -> str:
    return default


@dataclass(frozen=True)
class World:
    """Everything outside: adapters, the person, the environment."""

    environment: Mapping[str, str]
    aws: MakeAws
    terraform: MakeTerraform
    pin: MakePin
    notebook: MakeNotebook
    embedded: Callable[[], Embedded]
    """Imported when it is asked for."""
    public_address: Callable[[], str]
    report: Callable[[Event], None]
    confirm: Callable[[str], bool]
    """Asks; UnansweredError when nobody is there to answer."""
    choose: Callable[[str, Sequence[str], str], str] = _default
    """Asks for one of several answers, the last being the default; likewise."""

    def aws_like(self, way: Way) -> Aws:
        """Another adapter for the same place: each thread has its own."""
        return self.aws(environment=for_aws(self.environment, way.local), region=way.place.region)

    def look_whose(self, where: Address, key_sha256: str, *, timeout: float = TIMEOUT) -> Pin:
        """The certificate that answers there; FingerprintError unless its key is that one."""
        return self.pin(
            where.host,
            where.port,
            key_sha256=key_sha256,
            domain=where.domain,
            timeout=timeout,
            environment=self.environment,
        )

    def speak(
        self, where: Address, pin: Pin, password: str, *, timeout: float = TIMEOUT
    ) -> Notebook:
        """The notebook there, over pinned TLS; not logged in yet."""
        return self.notebook(
            where.url, pin, password, timeout=timeout, environment=self.environment
        )
