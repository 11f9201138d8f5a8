"""What is open in JupyterLab is on the disk: asked of the notebook's own extension."""

from __future__ import annotations

import contextlib
import json
import socket
import sys


def save(door: str, seconds: float) -> dict[str, object]:
    """What open tabs have is on the disk; or what is not. OSError, ValueError."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(seconds + 2)
        connected.connect(door)
        return _asked(connected, seconds)


def _asked(connected: socket.socket, seconds: float) -> dict[str, object]:
    # Takes longer to read than all else that this does, and mostly there is nobody to ask.
    import http.client  # noqa: PLC0415 (as said)

    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected
    try:
        connection.request("POST", "/save", json.dumps({"seconds": seconds}))
        reply = connection.getresponse()
        found = json.loads(reply.read())
    except http.client.HTTPException as error:
        raise ValueError(f"Jupyter answers no HTTP: {error!r}") from error
    if not isinstance(found, dict) or reply.status != http.HTTPStatus.OK:
        raise ValueError(f"Jupyter answers {reply.status}")
    return found


def main() -> None:
    """The extension at that socket was asked, for so many seconds, and what it answered is printed;

    nothing, where no notebook runs.
    """
    _, door, seconds = sys.argv
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        sys.stdout.write(json.dumps(save(door, float(seconds))))


if __name__ == "__main__":
    main()
