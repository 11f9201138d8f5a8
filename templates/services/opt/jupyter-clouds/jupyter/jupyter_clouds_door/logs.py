"""What the machine's own units wrote to its journal, which this server's user may not read."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from . import asking

SOCKET = os.environ.get("JUPYTER_CLOUDS_LOGS", "/run/jupyter-clouds/logs.sock")
LIMIT = 2**23  # bytes, as JSON


class Logs(APIHandler):
    """GET ?phase=&lines=&after=: {"text", "cursor"}, which is the next one's `after`."""

    _track_activity = False

    @web.authenticated
    async def get(self) -> None:
        words: dict[str, Any] = {
            name: value for name in ("phase", "after") if (value := self.get_argument(name, ""))
        }
        lines = self.get_argument("lines", "200")
        words["lines"] = int(lines) if lines.isdecimal() else lines
        missing = "this machine shows no logs: an older version made it"
        self.finish(await asking.ask(SOCKET, words, missing=missing, limit=LIMIT))


def routes(base_url: str) -> list[tuple[str, type[APIHandler]]]:
    """Return the handler with its address."""
    return [(url_path_join(base_url, "clouds", "logs"), Logs)]
