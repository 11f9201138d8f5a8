"""A stage for the stories: a real Terraform against the EC2 API, a real Jupyter behind the address.

Only two things are not as in life: no machine boots (its console says at once what a booted one
says), and connections to its address are led to the Jupyter of the test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.provider import Provider
from tests.unit.conftest import PASSWORD
from wrapper import certificate
from wrapper.aws import Aws
from wrapper.deployment.wanted import Wanted
from wrapper.deployment.world import World
from wrapper.errors import NoAnswerError
from wrapper.home import Home, root
from wrapper.local import Status
from wrapper.local.api.imaginary import ImaginaryMachines
from wrapper.notebook import Notebook, pin
from wrapper.settings import Settings
from wrapper.terraform import Terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter
    from wrapper.deployment.events import Event
    from wrapper.local.api.control import Control

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("terraform") or shutil.which("tofu")), reason="needs terraform or tofu"
    ),
]

ME = "198.51.100.7"


class Speaking(ImaginaryMachines):
    """Machines that say on their console what a booted one says."""

    def __init__(self, key_sha256: str, certificate_sha256: str) -> None:
        super().__init__()
        prefix = "jupyter-clouds: "
        self.says = "".join(
            f"{prefix}{line}\r\n"
            for line in (
                "phase=conda state=started",
                "phase=conda seconds=12.3",
                f"fingerprint certificate_sha256={certificate_sha256} key_sha256={key_sha256}",
                "ready port=9999",
            )
        )
        self.says_after_a_restart: str | None = None

    def start(self, instance_id: str) -> None:
        """A boot that may go otherwise than the one before."""
        self.says = self.says_after_a_restart or self.says
        super().start(instance_id)

    def console(self, instance_id: str) -> bytes:
        """The same from every machine."""
        del instance_id
        return self.says.encode()


class NoEmbedded:
    """A computer on which the embedded EC2 does not run."""

    def status(self) -> Any:
        """Not running."""
        return Status(running=False)

    def settled(self, **_: Any) -> Any:
        """Likewise."""
        return self.status()

    def clear(self) -> None:
        """Nothing was left."""


@dataclass
class Stage:
    """A world, what was told in it, and the machine room behind it."""

    world: World
    told: list[Event]
    machines: Speaking
    control: Control
    asked: list[str] = field(default_factory=list)

    def wanted(self, name: str, **more: Any) -> Wanted:
        """What `up` is asked for, unless more is said. Volumes have stories of their own."""
        said = {"settings": Settings(data_volume_size=0), "new_password": lambda: PASSWORD, **more}
        return Wanted(name=name, **said)

    def aws(self) -> Aws:
        """The EC2 adapter."""
        return Aws(environment=self.world.environment, region="us-east-1")

    def home(self, name: str) -> Home:
        """The deployment's directory."""
        return Home(root(self.world.environment) / name)

    def of(self, kind: type) -> list[Any]:
        """What was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


def _world(
    environment: dict[str, str],
    jupyter: LiveJupyter,
    report: Callable[[Event], None],
    provider: Provider,
) -> World:
    def terraform(path: Path, *, environment: dict[str, str], **more: Any) -> Terraform:
        return Terraform(path, environment=environment | provider.environment, **more)

    def led_pin(host: str, port: int, **more: Any) -> Any:
        assert port == 9999
        if not host.startswith("198.18."):  # not the Elastic IP yet, which a machine waits for
            raise NoAnswerError(f"Nothing answers at {host}.", hint="Wait")
        return pin(jupyter.host, jupyter.port, **more)

    def led_notebook(url: str, *given: Any, **more: Any) -> Notebook:
        assert url.startswith("https://198.18.")
        return Notebook(jupyter.url, *given, **more)

    return World(
        environment=environment,
        aws=Aws,
        terraform=terraform,  # type: ignore[arg-type] # as the class is called
        pin=led_pin,
        notebook=led_notebook,
        embedded=NoEmbedded,  # type: ignore[arg-type] # half of it is enough here
        public_address=lambda: ME,
        report=report,
        confirm=lambda _: True,
    )


@contextlib.contextmanager
def _stage(tmp_path: Path, jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    der = ssl.PEM_cert_to_DER_cert(jupyter.minted.certificate)
    prints = certificate.fingerprints(der)
    machines = Speaking(prints.key_sha256, prints.certificate_sha256)
    told: list[Event] = []
    with served(machines) as account:
        environment = {
            **account.environment,
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
        }
        provider = Provider(providers, account)
        try:
            world = _world(environment, jupyter, told.append, provider)
            yield Stage(world, told, machines, account.control)
        finally:
            provider.rest()


@pytest.fixture
def stage(tmp_path: Path, jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    """A plain Jupyter behind the address."""
    with _stage(tmp_path, jupyter, providers) as made:
        yield made


@pytest.fixture
def full_stage(tmp_path: Path, machines_jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    """Jupyter as the machine runs it behind the address."""
    with _stage(tmp_path, machines_jupyter, providers) as made:
        yield made
