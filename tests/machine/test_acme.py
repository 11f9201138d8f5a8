"""A machine with no port for SSH: a certificate that browsers trust, and ssh by Session Manager.

`--tls letsencrypt` is answered by an authority that asks the domain's name server, and then looks
at the machine's port 80 from outside; what AWS carries to its port 22 from inside, a stand-in for
`aws` carries. The same machine is baked afterwards: test_images.py.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.machine.certified import DOMAIN
from tests.machine.live import is_done
from tests.machine.reach import until
from tests.machine.typed import client, wrapper
from wrapper.local.host import PREFIX
from wrapper.local.requirements import sudo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.certified import Certified

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_record_in_the_zone_brings_a_certificate_with_no_port_and_the_pin_holds(
    certified: Certified,
) -> None:
    until(certified.is_certified, certified.authority.log.read_text)
    with certified.live().logged_in() as notebook:
        until(lambda: is_done(notebook, "letsencrypt"), certified.authority.log.read_text)
    assert f"_acme-challenge.{DOMAIN}. TXT" in certified.asked
    assert certified.trusted_by_browsers(DOMAIN)
    # Of the name alone, and the wrapper comes by the address.
    assert certified.checked()["key_sha256"] == certified.told["key_sha256"]
    with pytest.raises(TimeoutError):
        socket.create_connection((certified.host, 80), 2)


def test_so_does_port_80_for_the_address_and_the_name(certified: Certified) -> None:
    (group,) = certified.instance()["SecurityGroups"]
    world = {"IpProtocol": "tcp", "CidrIp": "0.0.0.0/0", "FromPort": 80, "ToPort": 80}
    client("ec2").authorize_security_group_ingress(GroupId=group["GroupId"], **world)
    # As a machine is told that was made without a zone.
    certified.inside(
        'sed -i \'s/"dns":{[^}]*}/"dns":null/\' /etc/jupyter-clouds/acme.json;'
        " echo another >/var/lib/jupyter-clouds/notebook/tls/acme.names;"
        " systemctl restart jupyter-clouds-letsencrypt.service"
    )
    assert certified.trusted_by_browsers(DOMAIN)
    assert certified.trusted_by_browsers(certified.host)
    assert certified.checked()["key_sha256"] == certified.told["key_sha256"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((certified.host, 80), 5)


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
def with_aws(certified: Certified, tmp_path: Path) -> dict[str, str]:
    """An `aws` that carries a session's bytes to the machine's port from inside, as the agent."""
    tools = tmp_path / "tools"
    tools.mkdir()
    inside = [*sudo(), "ip", "netns", "exec", f"{PREFIX}-{certified.told['instance_id']}"]
    (tools / "aws").write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"assert sys.argv[1:3] == ['ssm', 'start-session'], sys.argv\n"
        f"assert sys.argv[sys.argv.index('--target') + 1] == {certified.told['instance_id']!r}\n"
        f"port = sys.argv[-1].removeprefix('portNumber=')\n"
        f"words = [*{inside!r}, sys.executable, '-c', {PUMP!r}, port]\n"
        "os.execvp(words[0], words)\n"
    )
    (tools / "session-manager-plugin").write_text("#!/bin/sh\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return {**certified.environment, "PATH": f"{tools}:{os.environ['PATH']}"}


def test_ssh_and_files_go_by_a_session_where_no_port_is_open(
    certified: Certified, with_aws: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=r"timed out|refused"):
        socket.create_connection((certified.host, 22), 2)

    done = wrapper("ssh", certified.name, "--", "id", "-un", environment=with_aws)
    assert (done.returncode, done.stdout) == (0, "notebook\n"), done.stderr

    (tmp_path / "file").write_text("by a session")
    pushed = wrapper("push", str(tmp_path / "file"), "--name", certified.name, environment=with_aws)
    assert pushed.returncode == 0, pushed.stderr
    there = wrapper("ssh", certified.name, "--", "cat", "work/file", environment=with_aws)
    assert there.stdout == "by a session"
