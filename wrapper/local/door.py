"""The daemon's own paths beside the API: its health, and the hand on its market.

On loopback, for every user of the computer, as the API is. A page in a browser is kept out: it can
send JSON nowhere without being asked about it first, and reaches no other host name than its own.
"""

from __future__ import annotations

import inspect
import json
import os
from typing import TYPE_CHECKING, Any

from wrapper.errors import LocalError

from .health import CONTROL, HEALTH
from .host import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .api.control import Control
    from .room import Room

_HOSTS = ("127.0.0.1", "localhost")
_LONGEST = 1 << 16


def beside(app: WSGIApplication, room: Room, control: Control) -> WSGIApplication:
    """The application with these paths before it."""
    verbs: Mapping[str, Callable[..., Any]] = {
        "capacity": control.capacity,
        "interrupt": control.interrupt,
        "price": control.price,
        "quota": control.quota,
        "recommend": control.recommend,
    }

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if path == HEALTH:
            return _answer(start_response, "200 OK", _health(room, control))
        if not path.startswith(CONTROL):
            return app(environ, start_response)
        verb = verbs.get(path.removeprefix(CONTROL))
        if verb is None or environ["REQUEST_METHOD"] != "POST" or not _is_ours(environ):
            told = {"message": f"the embedded EC2 does not answer {path}", "hint": None}
            return _answer(start_response, "404 Not Found", told)
        return _answer(start_response, *_obey(verb, environ))

    return serve


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


def _is_ours(environ: WSGIEnvironment) -> bool:
    host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0]
    return host in _HOSTS and environ.get("CONTENT_TYPE") == "application/json"


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
