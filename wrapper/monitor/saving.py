"""What is open in JupyterLab is on the disk: asked of the notebook's own extension."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import sys


def save(door: str, seconds: float) -> dict[str, object]:
    """What open tabs have is on the disk; or what is not. OSError, ValueError, HTTPException."""
    connection = http.client.HTTPConnection("localhost", timeout=seconds + 2)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(seconds + 2)
    try:
        connection.sock.connect(door)
        connection.request("POST", "/save", json.dumps({"seconds": seconds}))
        reply = connection.getresponse()
        found = json.loads(reply.read())
    finally:
        connection.close()
    if not isinstance(found, dict) or reply.status != http.HTTPStatus.OK:
        raise ValueError(f"Jupyter answers {reply.status}")
    return found


def main() -> None:
    """It was asked, and what was answered is printed; nothing, where no notebook runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("door", help="the extension's socket")
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        sys.stdout.write(json.dumps(save(given.door, given.seconds)))


if __name__ == "__main__":
    main()
