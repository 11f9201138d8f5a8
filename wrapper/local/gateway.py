"""The machines' door to AWS's services beside EC2, inside the router: S3, and Route 53 for some.

Whoever signs as a role does what the role's policies let it, and no more; without credentials there
is S3 alone. Plain HTTP: there is no name and no certificate authority that both sides know.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import credentials, route53, s3
from .api import roles
from .api.buckets import RefusedError
from .host import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFUSED: Final = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_CALLS: Final = {"s3": s3.calls, "route53": route53.calls}
"""By the service that a signature is for: what the request asks for. RefusedError, ValueError."""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        log.debug("gateway %s " + message, type, *args)


def serve(
    listening: socket.socket,
    find: Callable[[str], s3.Addressed | None],
    services: Mapping[str, WSGIApplication],
) -> BaseWSGIServer:
    """A server that answers machines for as long as `serve_forever` runs.

    `services` are the account's, by their names in signatures.
    """

    def door(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if "HTTP_AUTHORIZATION" in environ:
                service, checked = _signed(environ)
                return services[service](checked, start_response)
            body = s3.unsigned(environ, find(environ["REMOTE_ADDR"]))
        except (RefusedError, ValueError) as error:
            log.info("refused to %s: %s", environ["REMOTE_ADDR"], error)
            refused = [("Content-Type", "application/xml"), ("Content-Length", str(len(_REFUSED)))]
            start_response("403 Forbidden", refused)
            return [_REFUSED]
        kind = "binary/octet-stream"
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    host, port = listening.getsockname()[:2]
    return make_server(
        host, port, door, threaded=True, request_handler=_Quiet, fd=listening.fileno()
    )


def _signed(environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment]:
    """The service, and a request to it that its role may make. RefusedError, ValueError."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_LENGTH", "CONTENT_TYPE")
    }
    path, _, query = environ["RAW_URI"].partition("?")
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    # S3's alone say it, or say that they leave the body out: UNSIGNED-PAYLOAD.
    said = headers.get("x-amz-content-sha256", "")
    digest = hashlib.sha256(body).hexdigest()
    if len(said) == len(digest) and said != digest:
        raise RefusedError("another body than the signed one")
    signed = credentials.Signed(environ["REQUEST_METHOD"], path, query, headers, said or digest)
    found = credentials.whose(signed)
    if found is None or found[1] not in _CALLS:
        raise RefusedError("no signature of a machine's role, for a service that is here")
    role, service = found
    for call in _CALLS[service](signed, body):
        if not roles.allowed(role, call.action, call.resource, call.context):
            raise RefusedError(f"{role.name}: {call} with {query}")
    return service, {**environ, "wsgi.input": io.BytesIO(body)}
