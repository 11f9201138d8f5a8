"""The addresses below /clouds/runs; whoever has the password may run code here anyway."""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from . import autostop
from .runs import Runs

LONGEST = 30  # seconds that an answer may wait for news


class Handler(APIHandler):
    """Asked for by programs of ours, so no sign that somebody is at work."""

    _track_activity = False

    def initialize(self, runs: Runs) -> None:
        """Know the runs."""
        self.runs = runs


class All(Handler):
    """GET: the newest runs. POST {"kind", "file"?, "source"?, ...}: one more is prepared."""

    @web.authenticated
    def get(self) -> None:
        self.finish({"runs": self.runs.all()})

    @web.authenticated
    def post(self) -> None:
        self.set_status(201)
        self.finish(self.runs.prepare(self.get_json_body() or {}))


class One(Handler):
    """GET ?from=&seen=&wait=: what it printed from that byte on, and how far it is.

    POST {"do"}: "start" it, "cancel" it, "forget" one that never began; "hold": the machine, which
    is to stop after it, waits another minute; "settled": nothing is to be done after it any more.
    """

    @web.authenticated
    async def get(self, name: str) -> None:
        try:
            start = int(self.get_argument("from", "0"))
            wait = min(LONGEST, float(self.get_argument("wait", "0")))
        except ValueError as error:
            raise web.HTTPError(400, '"from" and "wait" are numbers') from error
        self.finish(await self.runs.news(name, start, self.get_argument("seen", ""), wait))

    @web.authenticated
    async def post(self, name: str) -> None:
        wish: dict[str, Any] = self.get_json_body() or {}
        known = self.runs.told(name)
        do = wish.get("do")
        if do == "start" and known["state"] == "prepared":
            await autostop.ask({"do": "run", "name": name, "stop": bool(known["after"])})
            self.runs.mark(name, "begun")
        elif do in {"cancel", "settled"}:
            self.runs.mark(name, do)
        elif do == "forget":
            self.runs.forget(name)
            self.finish({})
            return
        elif do == "hold":
            await autostop.ask({"do": "hold"})
        elif do != "start":
            raise web.HTTPError(400, '"do" has to be start, cancel, settled, forget or hold')
        self.finish(self.runs.told(name))


def routes(base_url: str, root: str) -> list[tuple[str, type[Handler], dict[str, Runs]]]:
    """Return the handlers with their addresses."""
    known = {"runs": Runs(root)}
    return [
        (url_path_join(base_url, "clouds", "runs"), All, known),
        (url_path_join(base_url, "clouds", "runs", r"([\w-]+)"), One, known),
    ]
