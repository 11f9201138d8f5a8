"""A machine whose notebook has a certificate that browsers trust, and which has no port for SSH."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import name_server, pebble
from tests.machine import reach
from tests.machine.live import Live
from tests.machine.typed import (
    UP_SECONDS,
    client,
    document,
    kernel_alone,
    stop_if_idle,
    wrapper,
)
from wrapper import local
from wrapper.local.network import HOST_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pebble import Authority

DOMAIN = "notebook.example.org"


@dataclass(frozen=True)
class Certified:
    """The machine, and who looks at it."""

    name: str
    told: dict[str, Any]
    environment: dict[str, str]
    packages: tuple[str, str]
    """Options of `up` for what it has in its environment."""
    authority: Authority
    asked: list[str]
    """Questions to the name server."""

    def command(self, *words: str) -> Any:
        """What the command printed."""
        return document(wrapper(*words, environment=self.environment, seconds=UP_SECONDS))

    def live(self) -> Live:
        """Its notebook by the address, as whoever has no name server but the world's."""
        password = self.command("password", self.name, "--json")["password"]
        url = f"https://{self.host}:9999/"
        key = self.told["key_sha256"]
        return Live(url, password, key, domain=DOMAIN, environment=self.environment)

    def instance(self) -> dict[str, Any]:
        ec2 = client("ec2")
        (found,) = ec2.describe_instances(InstanceIds=[self.told["instance_id"]])["Reservations"]
        one: dict[str, Any] = found["Instances"][0]
        return one

    @property
    def host(self) -> str:
        return str(self.instance()["PublicIpAddress"])

    def inside(self, command: str) -> str:
        """What the command prints, run by root inside the machine."""
        return reach.inside(self.told["instance_id"], "sh", "-ec", command)

    def trusted_by_browsers(self, name: str) -> bool:
        """With the authority's root, nothing pinned, and the name typed."""
        context = ssl.create_default_context(cadata=self.authority.root())
        raw = socket.create_connection((self.host, 9999), 20)
        with context.wrap_socket(raw, server_hostname=name) as sock:
            connection = http.client.HTTPConnection(name)
            connection.sock = sock
            connection.request("GET", "/login")
            return connection.getresponse().status == 200

    def is_certified(self) -> bool:
        """The authority's certificate is served; until then it is one of the machine's own."""
        try:
            return self.trusted_by_browsers(DOMAIN)
        except ssl.SSLCertVerificationError:
            return False

    def checked(self) -> Any:
        """What `check` says, which connects by the address."""
        return self.command("check", self.name, "--json")


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    """One with a user with sudo, and no data volume: home is on the root disk."""
    folder = tmp_path_factory.mktemp("acme")
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"acme-{secrets.token_hex(3)}"
    packages = kernel_alone(folder)
    with ExitStack() as stack:
        if not local.status().running:
            stack.callback(stop_if_idle, environment)
        wrapper("local", "start", environment=environment, seconds=UP_SECONDS)
        route53 = client("route53")
        zone = route53.create_hosted_zone(Name="example.org", CallerReference=name)["HostedZone"]
        zone_id = zone["Id"].rpartition("/")[2]
        port, asked = stack.enter_context(name_server.serving(route53, zone_id))
        there = pebble.running(folder, HOST_ADDRESS, 80, name_server=port)
        authority = stack.enter_context(there)
        stack.callback(_end, name, environment)
        told = document(
            wrapper(
                *("up", name, "--local", "--yes", "--json", "--generate-password", *packages),
                *("--data-size", "0", "--sudo", "--session-manager", "--tls", "letsencrypt"),
                *("--domain", DOMAIN, "--zone-id", zone_id),
                *("--acme-directory", authority.directory, "--acme-ca", str(authority.own)),
                environment=environment,
                seconds=UP_SECONDS,
            )
        )
        yield Certified(name, told, environment, packages, authority, asked)


def _end(name: str, environment: dict[str, str]) -> None:
    """What the last test has not ended."""
    if (Path(environment["XDG_DATA_HOME"]) / "jupyter-clouds" / name / "module").exists():
        wrapper("down", name, "--local", "--yes", environment=environment)
        wrapper("images", "--local", "prune", name, "--keep", "0", "--yes", environment=environment)
