"""A machine with no port for SSH: a certificate that browsers trust, and ssh by Session Manager.

`--tls letsencrypt` is answered by an authority that asks the domain's name server, and then looks
at the machine's port 80 from outside; what AWS carries to its port 22 from inside, a stand-in for
`aws` carries.
"""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import ssl
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests import name_server, pebble
from tests.machine import reach
from tests.machine.typed import UP_SECONDS, client, document, stop_if_idle, wrapper
from wrapper.local.host import PREFIX
from wrapper.local.network import HOST_ADDRESS
from wrapper.local.requirements import sudo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pebble import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE = 180
DOMAIN = "notebook.example.org"


def status(name: str, environment: dict[str, str]) -> dict[str, Any]:
    """Of the boot's phases."""
    told = document(wrapper("status", name, "--json", environment=environment))
    found: dict[str, Any] = told["phases"]
    return found


@dataclass(frozen=True)
class Made:
    """The machine, and who looks at it."""

    name: str
    told: dict[str, Any]
    environment: dict[str, str]
    authority: Authority
    zone_id: str
    asked: list[str]

    def instance(self) -> dict[str, Any]:
        ec2 = client("ec2", self.environment)
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

    def checked(self) -> dict[str, Any]:
        """What `check` says, which connects by the address."""
        return document(wrapper("check", self.name, "--json", environment=self.environment))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("acme")
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"acme-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        if not document(wrapper("local", "status", "--json", environment=environment))["running"]:
            stack.callback(stop_if_idle, environment)
        wrapper("local", "start", environment=environment, seconds=UP_SECONDS)
        route53 = client("route53", environment)
        zone = route53.create_hosted_zone(Name="example.org", CallerReference=name)["HostedZone"]
        zone_id = zone["Id"].rpartition("/")[2]
        port, asked = stack.enter_context(name_server.serving(route53, zone_id))
        there = pebble.running(folder, HOST_ADDRESS, 80, name_server=port)
        authority = stack.enter_context(there)
        down = ("down", name, "--local", "--yes")
        stack.callback(wrapper, *down, environment=environment)
        told = document(
            wrapper(
                *("up", name, "--local", "--yes", "--json", "--generate-password"),
                *("--data-size", "0", "--session-manager", "--tls", "letsencrypt"),
                *("--domain", DOMAIN, "--zone-id", zone_id),
                *("--acme-directory", authority.directory, "--acme-ca", str(authority.own)),
                environment=environment,
                seconds=UP_SECONDS,
            )
        )
        yield Made(name, told, environment, authority, zone_id, asked)


def test_a_record_in_the_zone_brings_a_certificate_with_no_port_and_the_pin_holds(
    made: Made,
) -> None:
    end = time.monotonic() + PATIENCE
    phases: dict[str, Any] = {}
    while (phase := phases.get("letsencrypt", {})).get("state") != "done":
        assert phase.get("state") != "failed", f"{phase}\n{made.authority.log.read_text()}"
        assert time.monotonic() < end, phase
        time.sleep(1)
        phases = status(made.name, made.environment)
    assert f"_acme-challenge.{DOMAIN}. TXT" in made.asked
    assert made.trusted_by_browsers(DOMAIN)
    # Of the name alone, and the wrapper comes by the address.
    assert made.checked()["key_sha256"] == made.told["key_sha256"]
    with pytest.raises(TimeoutError):
        socket.create_connection((made.host, 80), 2)


def test_so_does_port_80_for_the_address_and_the_name(made: Made) -> None:
    (group,) = made.instance()["SecurityGroups"]
    world = {"IpProtocol": "tcp", "CidrIp": "0.0.0.0/0", "FromPort": 80, "ToPort": 80}
    client("ec2", made.environment).authorize_security_group_ingress(
        GroupId=group["GroupId"], **world
    )
    # As a machine is told that was made without a zone.
    made.inside(
        'sed -i \'s/"dns":{[^}]*}/"dns":null/\' /etc/jupyter-clouds/acme.json;'
        " echo another >/var/lib/jupyter-clouds/notebook/tls/acme.names;"
        " systemctl restart jupyter-clouds-letsencrypt.service"
    )
    assert made.trusted_by_browsers(DOMAIN)
    assert made.trusted_by_browsers(made.host)
    assert made.checked()["key_sha256"] == made.told["key_sha256"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((made.host, 80), 5)


PUMP = """
import os, socket, sys, threading
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def send():
    while data := os.read(0, 65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""


@pytest.fixture
def with_aws(made: Made, tmp_path: Path) -> dict[str, str]:
    """An `aws` that carries a session's bytes to the machine's port from inside, as the agent."""
    tools = tmp_path / "tools"
    tools.mkdir()
    inside = [*sudo(), "ip", "netns", "exec", f"{PREFIX}-{made.told['instance_id']}"]
    (tools / "aws").write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"assert sys.argv[1:3] == ['ssm', 'start-session'], sys.argv\n"
        f"assert sys.argv[sys.argv.index('--target') + 1] == {made.told['instance_id']!r}\n"
        f"port = sys.argv[-1].removeprefix('portNumber=')\n"
        f"words = [*{inside!r}, sys.executable, '-c', {PUMP!r}, port]\n"
        "os.execvp(words[0], words)\n"
    )
    (tools / "session-manager-plugin").write_text("#!/bin/sh\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return {**made.environment, "PATH": f"{tools}:{os.environ['PATH']}"}


def test_ssh_and_files_go_by_a_session_where_no_port_is_open(
    made: Made, with_aws: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=r"timed out|refused"):
        socket.create_connection((made.host, 22), 2)

    done = wrapper("ssh", made.name, "--", "id", "-un", environment=with_aws)
    assert (done.returncode, done.stdout) == (0, "notebook\n"), done.stderr

    (tmp_path / "file").write_text("by a session")
    pushed = wrapper("push", str(tmp_path / "file"), "--name", made.name, environment=with_aws)
    assert pushed.returncode == 0, pushed.stderr
    there = wrapper("ssh", made.name, "--", "cat", "work/file", environment=with_aws)
    assert there.stdout == "by a session"
