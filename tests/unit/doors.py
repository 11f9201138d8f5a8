"""Asks at the door of a Jupyter, as the machine's programs do."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def ask(door: Path, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Status and object of the answer; an error's is empty."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(30)
    connection.sock.connect(str(door))
    connection.request(method, path, None if body is None else json.dumps(body))
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, json.loads(text) if reply.status == http.HTTPStatus.OK else {}
