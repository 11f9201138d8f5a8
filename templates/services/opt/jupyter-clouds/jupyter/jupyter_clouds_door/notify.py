"""The webhook that this machine tells of interruptions and stops: taken, kept, tried, forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_clouds import STATE
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

FILE = STATE / "webhook"  # on the data volume, where there is one
PROGRAM = Path(__file__).resolve().parents[2] / "services/notify.py"
SECONDS = 6
LONGEST = 2000  # characters


def checked(url: str) -> str:
    """Return the address. Raises ValueError with words that do not have it in them."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("a webhook begins with https://")
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("that is no address of a webhook")
    return url


def keep(text: str) -> None:
    """Have the file hold the text, for its owner alone, at once or not at all."""
    # The same is in jupyter_clouds, whose names the bundle shortens.
    with tempfile.NamedTemporaryFile("w", dir=FILE.parent, delete=False) as file:  # 0600
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(FILE)


async def tried() -> dict[str, Any]:
    """Return what became of a message that was sent just now."""
    words = ("-IB", str(PROGRAM), "test", "this is how its messages look.")
    environment = {"CLOUDS_WEBHOOK": str(FILE)}
    if "SSL_CERT_FILE" in os.environ:
        environment["SSL_CERT_FILE"] = os.environ["SSL_CERT_FILE"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await asyncio.wait_for(child.communicate(), SECONDS)
        found: dict[str, Any] = json.loads(out)
    except TimeoutError:
        child.kill()
        await child.wait()
        return {"ok": 0, "error": f"the webhook does not answer within {SECONDS - 1} seconds"}
    except ValueError:
        return {"ok": 0, "error": "the program that sends has failed"}
    return found


class Notify(APIHandler):
    """GET: the host of the webhook. PUT {"webhook"}, DELETE. POST: a message is sent to it."""

    _track_activity = False

    @web.authenticated
    def get(self) -> None:
        try:
            host = urlsplit(FILE.read_text().strip()).hostname
        except FileNotFoundError:
            host = None
        self.finish({"host": host})

    @web.authenticated
    def put(self) -> None:
        value = (self.get_json_body() or {}).get("webhook")
        try:
            keep(checked(value.strip() if isinstance(value, str) else ""))
        except ValueError as error:
            raise web.HTTPError(400, str(error)) from error
        self.set_status(204)

    @web.authenticated
    def delete(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            FILE.unlink()
        self.set_status(204)

    @web.authenticated
    async def post(self) -> None:
        self.finish(await tried())


def routes(base_url: str) -> list[tuple[str, type[APIHandler]]]:
    """Return the handler with its address."""
    return [(url_path_join(base_url, "clouds", "notify"), Notify)]
