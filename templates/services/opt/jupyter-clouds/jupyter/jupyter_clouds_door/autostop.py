"""The machine's own watch, which stops it when it is not used: asked over its unix socket."""

from __future__ import annotations

import os
from typing import Any

from . import asking

SOCKET = os.environ.get("JUPYTER_CLOUDS_AUTOSTOP", "/run/jupyter-clouds/autostop.sock")
LIMIT = 2**16  # bytes


async def ask(words: dict[str, Any]) -> dict[str, Any]:
    """Return what the watch answers; 404 where there is none, 400 for what it refuses."""
    return await asking.ask(
        SOCKET, words, missing="nothing stops this machine by itself", limit=LIMIT
    )
