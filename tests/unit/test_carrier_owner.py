"""Whose a connection to the door is, whatever cookie it brings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.unit.carrier_doors import Door, upstream
from wrapper.carrier.owner import NOBODY, is_ours, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.conftest import LiveJupyter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
NOBODYS_UID = 65534

# Another user, who has come by the token: what it is answered, or the port it comes from.
OTHER = """
import http.client, os, socket, sys
"x".encode("idna")  # whose module another user may not be able to read
os.setgroups([]); os.setgid(65534); os.setuid(65534)
address, door, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
one = http.client.HTTPConnection(address, door, timeout=30)
one.connect()
print(one.sock.getsockname()[1], flush=True)
if token:
    host = f"127.0.0.1:{door}"
    one.request("GET", "/api/status", headers={"Authorization": f"token {token}", "Host": host})
    print(one.getresponse().status, flush=True)
else:
    input()
"""


def other(address: str, port: int, token: str = "") -> list[str]:
    return [sys.executable, "-c", OTHER, address, str(port), token]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def test_a_connection_of_ones_own_is_known_until_it_is_closed(listening: socket.socket) -> None:
    door = listening.getsockname()[1]
    with socket.create_connection(("127.0.0.1", door)) as client:
        port = client.getsockname()[1]
        assert owner_of(port, door) == os.geteuid()
        assert is_ours(port, door)
        client.sendall(b"POST /api/kernels HTTP/1.1")
    assert owner_of(port, door) == NOBODY, "whoever asks and hangs up is not told as root"
    assert not is_ours(port, door)


def test_where_the_kernel_does_not_know_the_door_the_cookie_has_to_do() -> None:
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        door = listening.getsockname()[1]
        stack.close()
        assert owner_of(1, door) is None
        assert is_ours(1, door)


@as_root
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_another_users_connection_is_told(address: str, listening: socket.socket) -> None:
    door = listening.getsockname()[1]
    with subprocess.Popen(
        other(address, door), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        port = int(child.stdout.readline())
        assert owner_of(port, door) == NOBODYS_UID
        assert not is_ours(port, door)
        child.communicate("")


@as_root
def test_another_user_who_has_come_by_the_token_is_not_let_in(jupyter: LiveJupyter) -> None:
    door = Door(upstream(jupyter), lambda: upstream(jupyter))
    try:
        said = subprocess.check_output(
            other("127.0.0.1", door.port, door.token), text=True, timeout=60
        )
    finally:
        door.close()
    assert said.split()[1] == "403"
