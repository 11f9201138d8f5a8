"""The machines' door to S3, inside the router: objects that a bucket's policy lets them read.

Machines have no credentials, and their requests come from the public address that they have at
that moment, as through an internet gateway. Path style, plain HTTP: there is no name and no
certificate authority that both sides know.
"""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from .api.buckets import RefusedError, read
from .host import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class Addressed(Protocol):
    """What the door wants to know of a machine."""

    public_ip: str | None


class Server(ThreadingHTTPServer):
    """Answers machines for as long as `serve_forever` runs."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, find: Callable[[str], Addressed | None]) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.find = find


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "AmazonS3"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        machine = self.server.find(self.client_address[0])
        context = {"aws:securetransport": "false"}
        if machine and machine.public_ip:
            context["aws:sourceip"] = machine.public_ip
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        try:
            self._answer(HTTPStatus.OK, "binary/octet-stream", read(bucket, key, context))
        except (RefusedError, ValueError) as error:
            log.info("s3 refuses %s: %s", self.client_address[0], error)
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self._answer(HTTPStatus.FORBIDDEN, "application/xml", body)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        log.debug("s3 %s " + format, self.client_address[0], *args)
