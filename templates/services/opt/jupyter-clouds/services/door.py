"""The door into Jupyter: a unix socket on which only the notebook's own server is listened to."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from typing import Any

import bounded  # noqa: F401 - which finds the next
import clouds

SOCKET = os.environ.get("JUPYTER_CLOUDS_DOOR", f"{clouds.RUN}/door/jupyter.sock")
LIMIT = 2**20  # bytes of an answer; the server is the user's


class Connection(http.client.HTTPConnection):
    """HTTP over the socket."""

    def connect(self) -> None:
        """Connected, to a process of the notebook's user. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)
        # The folder is the user's: what lies there may lead to somebody else's socket, who would
        # take these words for root's.
        peer = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", peer)[1] != clouds.USER.pw_uid:
            raise PermissionError(f"{SOCKET}: not the notebook's server")


def ask(method: str, path: str, body: object = None, seconds: float = 5) -> dict[str, Any] | None:
    """What Jupyter answers; None when it does not run. Raises OSError or ValueError."""
    connection = Connection("localhost", timeout=seconds)
    try:
        connection.request(method, path, json.dumps(body))
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    try:
        reply = connection.getresponse()
        data = reply.read(LIMIT)
    except http.client.HTTPException as error:
        raise ValueError(f"Jupyter answers no HTTP: {error!r}") from error
    if reply.status != http.HTTPStatus.OK:
        raise ValueError(f"Jupyter answers {reply.status}: {data[:200].decode(errors='replace')}")
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("Jupyter answers no object")  # noqa: TRY004 - what it said, not what we did
    return found
