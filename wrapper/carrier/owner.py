"""Whose the other end of a connection over the loopback is: the kernel knows.

A cookie goes to every port of a host, so a server of another user of this computer, at another
port of 127.0.0.1, is sent the door's by whoever visits it. What it cannot have is a socket of this
user's. Asked for with sock_diag(7), which finds one socket at once, where /proc/net/tcp walks
through all: https://man7.org/linux/man-pages/man7/sock_diag.7.html. Elsewhere than on Linux nobody
is told, and the cookie alone has to do.
"""

from __future__ import annotations

import os
import socket
import struct

NOBODY = -1
_LOOPBACK, _ANY = socket.inet_aton("127.0.0.1"), bytes(4)
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_HEAD = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_NUMBERS = struct.Struct("=II")
_UID_AT = 4 + 48 + 12
"""Behind family and state, the two ends, and three numbers: struct inet_diag_msg."""
_LISTENS = 10


def is_ours(client: int, door: int) -> bool:
    """The socket at the client's port that is connected to the door's is this user's, or root's.

    True as well where the kernel does not tell.
    """
    return owner_of(client, door) in (None, 0, os.geteuid())


def owner_of(client: int, door: int) -> int | None:
    """The user's number, or NOBODY; None where the kernel does not even tell of the door."""
    try:
        found = _ask((_LOOPBACK, client), (_LOOPBACK, door))
        if found is None or found[0] == _LISTENS:
            return NOBODY if _ask((_LOOPBACK, door), (_ANY, 0)) else None
    except (OSError, AttributeError):  # no netlink on macOS
        return None
    _, user, inode = found
    # A socket that was closed, with its question still on the way, is told as root's.
    return user if inode else NOBODY


def _ask(here: tuple[bytes, int], there: tuple[bytes, int]) -> tuple[int, int, int] | None:
    """State, user and inode of that socket; None for none. OSError."""
    ends = _PORTS.pack(here[1], there[1]) + here[0].ljust(16, b"\0") + there[0].ljust(16, b"\0")
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ends
    asked += bytes(4) + b"\xff" * 8  # any interface, and no cookie of the kernel's
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as line:
        line.settimeout(1.0)
        line.sendto(_HEAD.pack(_HEAD.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked, (0, 0))
        answer = line.recv(4096)
    if _HEAD.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    body = answer[_HEAD.size :]
    return body[1], *_NUMBERS.unpack_from(body, _UID_AT)
