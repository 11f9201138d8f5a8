"""A machine with no port for SSH: a certificate that browsers trust, and ssh by Session Manager.

`--tls letsencrypt` is answered by an authority that looks at the machine's port 80 from outside;
what AWS carries to its port 22 from inside, a stand-in for `aws` carries.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests import pebble
from tests.machine.conftest import UP_SECONDS, _stop_if_idle, document, wrapper
from wrapper.local.host import PREFIX
from wrapper.local.network import HOST_ADDRESS
from wrapper.local.requirements import sudo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pebble import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE = 180


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

    @property
    def host(self) -> str:
        return urlsplit(self.told["url"]).hostname or ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("acme")
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"acme-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        if not document(wrapper("local", "status", "--json", environment=environment))["running"]:
            stack.callback(_stop_if_idle, environment)
        authority = stack.enter_context(pebble.running(folder, HOST_ADDRESS, 80))
        down = ("down", name, "--local", "--yes")
        stack.callback(wrapper, *down, environment=environment)
        told = document(
            wrapper(
                *("up", name, "--local", "--yes", "--json", "--generate-password"),
                *("--data-size", "0", "--session-manager", "--tls", "letsencrypt"),
                *("--acme-directory", authority.directory, "--acme-ca", str(authority.own)),
                environment=environment,
                seconds=UP_SECONDS,
            )
        )
        yield Made(name, told, environment, authority)


def test_browsers_trust_it_and_the_pin_holds(made: Made, tmp_path: Path) -> None:
    end = time.monotonic() + PATIENCE
    phases: dict[str, Any] = {}
    while (phase := phases.get("letsencrypt", {})).get("state") != "done":
        assert phase.get("state") != "failed", f"{phase}\n{made.authority.log.read_text()}"
        assert time.monotonic() < end, phase
        time.sleep(1)
        phases = status(made.name, made.environment)
    (tmp_path / "root.pem").write_text(made.authority.root())
    # As a browser: the authority's root, and nothing pinned.
    url = made.told["url"]
    seen = requests.get(f"{url}login", verify=str(tmp_path / "root.pem"), timeout=20)
    assert seen.status_code == 200
    checked = wrapper("check", made.name, "--json", environment=made.environment)
    assert checked.returncode == 0, checked.stderr
    told = json.loads(checked.stdout)
    assert told["key_sha256"] == made.told["key_sha256"]
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
