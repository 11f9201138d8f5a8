"""What this machine adds to Jupyter: durable output, a slower login for guessers, /clouds/."""

import json
import os
from pathlib import Path
from typing import Any

from tornado.ioloop import PeriodicCallback

SETTINGS = json.loads(
    Path(
        os.environ.get("JUPYTER_CLOUDS_NOTEBOOK_JSON", "/etc/jupyter-clouds/notebook.json")
    ).read_text()
)
STATE = Path(SETTINGS["state"])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyter_clouds"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from . import handlers  # noqa: PLC0415  (needs STATE, above)

    server.web_app.add_handlers(".*$", handlers.routes(server.base_url))
    if hasattr(server.contents_manager, "keep"):
        PeriodicCallback(server.contents_manager.keep, 1000).start()
