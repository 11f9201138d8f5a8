"""The machine's own watch, which stops it when it is not used: asked over its unix socket."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from tornado import web

SOCKET = os.environ.get("JUPYTER_CLOUDS_AUTOSTOP", "/run/jupyter-clouds/autostop.sock")
SILENCE = 20  # seconds; it answers between two looks, and a GPU's may take some
LIMIT = 2**16  # bytes


async def ask(words: dict[str, Any]) -> dict[str, Any]:
    """Return what the watch answers; 404 where there is none, 400 for what it refuses."""
    try:
        reader, writer = await asyncio.open_unix_connection(SOCKET)
    except OSError as error:
        raise web.HTTPError(404, "nothing stops this machine by itself") from error
    try:
        writer.write(json.dumps(words).encode() + b"\n")
        data = await asyncio.wait_for(reader.read(LIMIT), SILENCE)
        found: dict[str, Any] = json.loads(data)
    except (OSError, TimeoutError, ValueError) as error:
        raise web.HTTPError(503, f"the machine's watch does not answer: {error!r}") from error
    finally:
        writer.close()
    if "error" in found:
        raise web.HTTPError(400, str(found["error"]))
    return found
