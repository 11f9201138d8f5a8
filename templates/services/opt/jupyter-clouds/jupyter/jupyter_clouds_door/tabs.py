"""Open browser tabs: what they show, and that they save what was typed in them."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from . import autostop, resources

# Events go to every tab over Jupyter's own websocket for them:
# https://jupyter-server.readthedocs.io/en/latest/operators/events.html
SCHEMA_ID = "urn:jupyter-clouds:tabs:1"
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "What this machine asks of open tabs",
    "personal-data": False,
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"enum": ["save", "notice"]}, "id": {"type": "string"}},
}
# Seconds for a tab's first word, over a slow line too; who listens may not be a tab of ours.
HELLO = 1.5
LEVELS = ("info", "success", "warning", "error")
LONGEST = 1000  # documents and characters; tabs are the user's, but mistakes happen


class Tabs:
    """What is shown, and who has answered."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.notice: dict[str, Any] | None = None
        # Of the round of saving that runs: its id, and by tab what is not saved yet.
        self.round = ""
        self.answers: dict[str, dict[str, Any]] = {}
        self.heard = asyncio.Event()
        self.smi = resources.Smi()
        self.one_at_a_time = asyncio.Lock()
        server.event_logger.register_event_schema(SCHEMA)

    def emit(self, kind: str, number: str = "") -> None:
        """All tabs that are connected get the event."""
        self.server.event_logger.emit(schema_id=SCHEMA_ID, data={"kind": kind, "id": number})

    def show(self, notice: dict[str, Any] | None) -> None:
        """Tabs show the notice, those that open later too; None takes it away."""
        self.notice = notice
        self.emit("notice")

    def answer(self, number: str, tab: str, documents: list[dict[str, str]]) -> None:
        """Note what a tab says of its changed documents."""
        if number == self.round:
            said = self.answers.setdefault(tab, {})
            said.update({one["path"]: one for one in documents[:LONGEST]})
            self.heard.set()

    async def save(self, seconds: float) -> dict[str, Any]:
        """Return the documents that tabs have changed or kernels write to, and how it went."""
        async with self.one_at_a_time:
            begun = time.monotonic()
            self.round, self.answers = secrets.token_hex(8), {}
            self.emit("save", self.round)
            outputs, _ = await asyncio.gather(self.keep(seconds), self.wait(seconds))
            said = [one for tab in self.answers.values() for one in tab.values()]
            tabs, self.round = len(self.answers), ""
        # What tabs have saved may be behind what was printed meanwhile; and what a tab has seen may
        # have been on its way to the recorder, which listens to the kernel on its own.
        outputs |= await self.keep(max(1, seconds - (time.monotonic() - begun)))
        documents = {path: {"path": path, "state": state} for path, state in outputs.items()}
        for one in sorted(said, key=lambda one: one["state"] != "saved"):
            # The same document in two tabs is as well off as in the worse one.
            documents[one["path"]] = one
        return {"tabs": tabs, "documents": list(documents.values())}

    async def wait(self, seconds: float) -> None:
        """Every tab that said a word has saved, or the time is over."""
        begun = time.monotonic()
        while (lasted := time.monotonic() - begun) < seconds:
            saving = [
                one
                for tab in self.answers.values()
                for one in tab.values()
                if one["state"] == "saving"
            ]
            everybody = len(self.answers) >= self.listening()
            if (lasted >= HELLO or everybody) and not saving:
                return
            self.heard.clear()
            left = (seconds if saving else min(HELLO, seconds)) - lasted
            try:
                await asyncio.wait_for(self.heard.wait(), max(0.01, left))
            except TimeoutError:
                continue

    def listening(self) -> float:
        """Return how many hear events, whether tabs of ours or not."""
        # Jupyter has no public count of them; where its own is gone, nobody knows.
        heard = getattr(self.server.event_logger, "_modified_listeners", {}).get(SCHEMA_ID)
        return math.inf if heard is None else len(heard)

    async def keep(self, seconds: float) -> dict[str, str]:
        """Return the notebooks that have a kernel; what it printed is in the file, or "failed"."""
        contents = self.server.contents_manager
        sessions = await self.server.session_manager.list_sessions()
        found = {one["path"]: "saved" for one in sessions if one["type"] == "notebook"}
        if not hasattr(contents, "keep"):
            return found
        for recorder in contents.recorders:
            recorder.process()
        begun = time.monotonic()
        try:
            await asyncio.wait_for(contents.keep(at_once=True), seconds)
        except TimeoutError:
            return dict.fromkeys(found, "failed")
        for recorder in contents.recorders:
            for e in recorder.executions.values():
                # Older than this round, and still not in the file.
                if e.changed and e.changed < begun and not (e.full and not e.lost):
                    found |= dict.fromkeys(recorder.paths, "failed")
        return found


class Handler(APIHandler):
    """Asked for by tabs on their own, so no sign that somebody is at work."""

    _track_activity = False

    def initialize(self, tabs: Tabs) -> None:
        """Know the tabs."""
        self.tabs = tabs


class Notice(Handler):
    """GET: what a tab has to show."""

    @web.authenticated
    def get(self) -> None:
        self.finish({"notice": self.tabs.notice})


class Saved(Handler):
    """POST {"id", "tab", "documents": [{"path", "state": "saving"|"saved"|"failed"}]}."""

    @web.authenticated
    def post(self) -> None:
        body = self.get_json_body() or {}
        documents = [
            {key: str(one[key])[:LONGEST] for key in ("path", "state", "error") if key in one}
            for one in body.get("documents", [])
            if "path" in one and one.get("state") in {"saving", "saved", "failed"}
        ]
        self.tabs.answer(str(body.get("id")), str(body.get("tab"))[:64], documents)
        self.set_status(204)


class Autostop(Handler):
    """GET: when this machine stops by itself, and why. POST: what is wished of that.

    {"do": "stay"}, {"do": "extend", "hours"}, {"do": "set" or "begin", "idle_minutes"?,
    "max_hours"?}. Whoever has the password may; the machine's own watch decides.
    """

    @web.authenticated
    async def get(self) -> None:
        self.finish(await autostop.ask({"do": "status"}))

    @web.authenticated
    async def post(self) -> None:
        self.finish(await autostop.ask(self.get_json_body() or {}))


class Resources(Handler):
    """GET: what this machine has and uses, what is shown, and when it stops by itself."""

    @web.authenticated
    async def get(self) -> None:
        found = await resources.look(self.tabs.server, self.tabs.smi)
        try:
            found["autostop"] = await autostop.ask({"do": "status"})
        except web.HTTPError:
            # None there, or busy: the rest is worth telling.
            found["autostop"] = None
        self.finish(found | {"notice": self.tabs.notice})


def routes(base_url: str, tabs: Tabs) -> list[tuple[str, type[Handler], dict[str, Tabs]]]:
    """Return the handlers with their addresses."""
    names = {"autostop": Autostop, "notice": Notice, "resources": Resources, "saved": Saved}
    return [
        (url_path_join(base_url, "clouds", name), names[name], {"tabs": tabs}) for name in names
    ]
