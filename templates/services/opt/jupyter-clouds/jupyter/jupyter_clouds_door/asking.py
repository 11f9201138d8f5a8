"""Programs of the machine's own that answer on a unix socket: one JSON object in, one out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tornado import web

SILENCE = 20  # seconds; a watch answers between two looks, and a GPU's may take some


async def ask(path: str, words: dict[str, Any], *, missing: str, limit: int) -> dict[str, Any]:
    """Return what is answered there; 404 with `missing` where nobody is, 400 for what is refused.

    `limit` in bytes.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=limit)
    except OSError as error:
        raise web.HTTPError(404, missing) from error
    try:
        writer.write(json.dumps(words).encode() + b"\n")
        async with asyncio.timeout(SILENCE):
            data = b""
            while len(data) < limit and (part := await reader.read(limit)):
                data += part
        found: dict[str, Any] = json.loads(data)
    except (OSError, TimeoutError, ValueError) as error:
        raise web.HTTPError(503, f"{path} does not answer: {error!r}") from error
    finally:
        writer.close()
    if "error" in found:
        raise web.HTTPError(400, str(found["error"]))
    return found
