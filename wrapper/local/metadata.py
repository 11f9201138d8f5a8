"""The metadata room: IMDSv2 on 169.254.169.254 inside the router, one tree per machine."""

from __future__ import annotations

import re
import secrets
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from .host import log
from .metadata_tree import look_up, tree

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .metadata_tree import Described

_MAX_TTL = 21600
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_TTL = f"{_TOKEN}-ttl-seconds"


class Tokens:
    """Session tokens of IMDSv2, each good for one machine and a time."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def make(self, address: str, seconds: int) -> str:
        """A new token, good for `seconds`."""
        token = secrets.token_urlsafe(40)
        now = time.monotonic()
        with self._lock:
            self._until = {key: end for key, end in self._until.items() if end > now}
            self._until[address, token] = now + seconds
        return token

    def good(self, address: str, token: str) -> bool:
        """Whether the token was made for that machine and has not run out."""
        with self._lock:
            return self._until.get((address, token), 0) > time.monotonic()


class Server(ThreadingHTTPServer):
    """Answers every machine with its own metadata, for as long as `serve_forever` runs."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, find: Callable[[str], Described | None]) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.find = find
        self.tokens = Tokens()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "EC2ws"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_PUT(self) -> None:
        seconds = self.headers.get(_TTL, "")
        if self.path != "/latest/api/token":
            self._answer(HTTPStatus.NOT_FOUND)
        elif "X-Forwarded-For" in self.headers:
            self._answer(HTTPStatus.FORBIDDEN)  # as AWS: it went through somebody's open proxy
        elif not seconds.isdecimal() or not 1 <= int(seconds) <= _MAX_TTL:
            self._answer(HTTPStatus.BAD_REQUEST)
        else:
            token = self.server.tokens.make(self.client_address[0], int(seconds))
            self._answer(HTTPStatus.OK, token.encode(), **{_TTL: seconds})

    def do_GET(self) -> None:
        address = self.client_address[0]
        if not self.server.tokens.good(address, self.headers.get(_TOKEN, "")):
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        machine = self.server.find(address)
        _, version, *rest = (*self.path.split("?")[0].split("/"), "")
        value: bytes | None = None
        if machine and not version:
            value = b"latest"
        elif machine and (version == "latest" or _DATED.fullmatch(version)):
            value = look_up(tree(machine), "/".join(rest))
        self._answer(HTTPStatus.NOT_FOUND if value is None else HTTPStatus.OK, value or b"")

    def _answer(self, status: HTTPStatus, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        log.debug("metadata %s " + format, self.client_address[0], *args)
