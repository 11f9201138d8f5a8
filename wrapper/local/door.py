"""Who may ask the API; and the daemon's own paths beside it: its health, the hand on its market.

On loopback, for every user of the computer. A page in a browser is kept out of all of it: one
whose name was made to point here (DNS rebinding) has that name in Host, and any other's requests
are marked by the browser. https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Origin
"""

from __future__ import annotations

import inspect
import json
import os
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from wrapper.errors import LocalError

from .health import CONTROL, HEALTH
from .host import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .api.control import Control
    from .room import Room

_NAMES = ("127.0.0.1", "localhost")
_LONGEST = 1 << 16
_REFUSED = (
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>The embedded EC2 answers "
    "no web page: {}</Message></Error></Errors></Response>"
)
"""As EC2 refuses, for AWS clients that come another way, through a tunnel."""


def guarded(app: WSGIApplication) -> WSGIApplication:
    """The application for programs of this computer, and for no page in a browser."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if complaint := _stranger(environ):
            log.warning("refused: %s", complaint)
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [_REFUSED.format(escape(complaint)).encode()]
        return app(environ, start_response)

    return serve


def _stranger(environ: WSGIEnvironment) -> str | None:
    """By what a request shows that no program of this computer sent it; None if nothing does."""
    # The socket's own port, which no request decides.
    hosts = [f"{name}:{environ['SERVER_PORT']}" for name in _NAMES]
    if (host := environ.get("HTTP_HOST")) not in hosts:
        return f"Host is {host!r}, not {hosts[0]}"
    if (origin := environ.get("HTTP_ORIGIN")) is not None:
        return f"Origin is {origin!r}"
    # Pictures and links of pages have no Origin. https://www.w3.org/TR/fetch-metadata/
    if (site := environ.get("HTTP_SEC_FETCH_SITE", "none")) != "none":
        return f"Sec-Fetch-Site is {site!r}"
    return None


def beside(app: WSGIApplication, room: Room, control: Control) -> WSGIApplication:
    """The application with these paths before it, guarded."""
    verbs: Mapping[str, Callable[..., Any]] = {
        "capacity": control.capacity,
        "clock": control.clock,
        "interrupt": control.interrupt,
        "price": control.price,
        "quota": control.quota,
        "recommend": control.recommend,
        "series": control.series,
    }

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if path == HEALTH:
            return _answer(start_response, "200 OK", _health(room, control))
        if not path.startswith(CONTROL):
            return app(environ, start_response)
        verb = verbs.get(path.removeprefix(CONTROL))
        if verb is None or environ["REQUEST_METHOD"] != "POST" or not _is_json(environ):
            told = {"message": f"the embedded EC2 does not answer {path}", "hint": None}
            return _answer(start_response, "404 Not Found", told)
        return _answer(start_response, *_obey(verb, environ))

    return guarded(serve)


def _health(room: Room, control: Control) -> dict[str, Any]:
    machines = [
        {
            "instance_id": machine.spec.instance_id,
            "state": machine.state,
            "private_ip": machine.spec.private_ip,
            "public_ip": machine.public_ip,
            "pid": machine.pid,
        }
        for machine in room.all()
        if machine.state != "terminated"
    ]
    return {"pid": os.getpid(), "machines": machines, "market": control.describe()}


def _is_json(environ: WSGIEnvironment) -> bool:
    return environ.get("CONTENT_TYPE") == "application/json"


def _obey(verb: Callable[..., Any], environ: WSGIEnvironment) -> tuple[str, dict[str, Any]]:
    try:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), _LONGEST)
        asked = inspect.signature(verb).bind(**json.loads(environ["wsgi.input"].read(length)))
    except (TypeError, ValueError) as error:
        return "400 Bad Request", {"message": f"the request makes no sense: {error}", "hint": None}
    try:
        told = verb(*asked.args, **asked.kwargs)
    except LocalError as error:
        return "400 Bad Request", {"message": error.message, "hint": error.hint}
    except Exception as error:  # noqa: BLE001 - it is in the log, and whoever asked is told
        log.exception("%s", environ["PATH_INFO"])
        return "500 Internal Server Error", {"message": f"it failed: {error!r}", "hint": None}
    return "200 OK", {"told": told}


def _answer(start_response: StartResponse, status: str, told: dict[str, Any]) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
