"""The unix socket, for root's programs and for those of the server's own user."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from . import kernels
from .tabs import LEVELS, Tabs

if TYPE_CHECKING:
    from tornado.iostream import IOStream

LARGEST = 2**16  # bytes of a request


class Server(HTTPServer):
    """HTTP for root, and for who runs this server and could do all of it anyway."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Listen to the peer if the kernel says that it is one of those."""
        peer = stream.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
        if struct.unpack("3i", peer)[1] not in {0, os.geteuid()}:
            stream.close()
            return
        super().handle_stream(stream, address)


class Handler(web.RequestHandler):
    """A request with a JSON object."""

    def initialize(self, server: Any, tabs: Tabs) -> None:
        """Know the notebook server and its tabs."""
        self.server, self.tabs = server, tabs

    def body(self) -> dict[str, Any]:
        """Return the request's object; anything else is a 400."""
        try:
            found = json.loads(self.request.body or "{}") or {}
        except ValueError as error:
            raise web.HTTPError(400, "no JSON") from error
        if not isinstance(found, dict):
            raise web.HTTPError(400, "no JSON object")
        return found


class Save(Handler):
    """POST {"seconds"}: what tabs and kernels have is on the disk, or it is told what is not."""

    async def post(self) -> None:
        seconds = self.body().get("seconds", 4)
        if not isinstance(seconds, int | float) or not 0 < seconds <= 60:  # noqa: PLR2004 - a minute
            raise web.HTTPError(400, '"seconds" has to be a number up to 60')
        self.finish(await self.tabs.save(seconds))


class Notice(Handler):
    """POST {"id", "level", "text", "time"?, "actions"?}: tabs show it; an empty object: no more.

    `{time}` in the text becomes the time as the browser's clock shows it. Actions are buttons:
    [{"label", "command", "args"?}], a command of JupyterLab's. "yields": it takes the place of no
    other one's. {"gone"} takes away one whose id begins so.
    """

    def post(self) -> None:
        body = self.body()
        before = str((self.tabs.notice or {}).get("id", ""))
        if "gone" in body:
            if not before or not before.startswith(str(body["gone"])):
                self.finish({})
                return
            body = {}
        if body.pop("yields", False) and before:
            ours = str(body.get("id")).partition("-")[0] == before.partition("-")[0]
            if not ours or body == self.tabs.notice:
                self.finish({})
                return
        if body:
            texts = [body.get(name) for name in ("id", "level", "text")]
            if not all(isinstance(one, str) and one for one in texts) or texts[1] not in LEVELS:
                raise web.HTTPError(400, f'"id", "text" and "level", one of {", ".join(LEVELS)}')
        self.tabs.show(body or None)
        self.finish({})


class Activity(Handler):
    """GET: notebooks and kernels with a cell that runs, and for how long none has, in seconds."""

    async def get(self) -> None:
        self.finish(await kernels.activity(self.server))


class Kernels(Handler):
    """GET: the kernels and what they run. POST {"name"}: the work folder has a file with that."""

    async def get(self) -> None:
        self.finish({"kernels": await kernels.listed(self.server)})

    async def post(self) -> None:
        name = self.body().get("name")
        if not isinstance(name, str) or not kernels.NAME.fullmatch(name):
            raise web.HTTPError(400, '"name" has to be kernels-SOMETHING.json')
        found = await kernels.listed(self.server)
        path = kernels.write(self.server.root_dir, name, found) if found else None
        self.finish({"kernels": len(found), "file": path})


def listen(path: str, server: Any, tabs: Tabs) -> None:
    """The socket is there, for its owner and root. Raises OSError."""
    known = {"server": server, "tabs": tabs}
    names = {"activity": Activity, "save": Save, "notice": Notice, "kernels": Kernels}
    application = web.Application(
        [(f"/{name}", names[name], known) for name in names], log_function=lambda _: None
    )
    http = Server(application, max_body_size=LARGEST, max_buffer_size=4 * LARGEST)
    http.add_socket(bind_unix_socket(path, mode=0o600))
