"""The machine's door into the notebook server: root asks here, and open tabs get to know."""

from __future__ import annotations

import os
from typing import Any

SOCKET = os.environ.get("JUPYTER_CLOUDS_DOOR", "/run/jupyter-clouds/door/jupyter.sock")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyter_clouds_door"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from . import logs, notify, run_handlers, sockets, tabs  # noqa: PLC0415 - only in a server

    found = tabs.Tabs(server)
    routes = [
        *tabs.routes(server.base_url, found),
        *logs.routes(server.base_url),
        *notify.routes(server.base_url),
        *run_handlers.routes(server.base_url, server.root_dir),
    ]
    server.web_app.add_handlers(".*$", routes)
    try:
        sockets.listen(SOCKET, server, found)
    except OSError as error:
        # Not here yet when this machine's unit was read, or a disk that is full: Jupyter goes on.
        server.log.warning("No door for the machine's programs at %s: %s", SOCKET, error)
