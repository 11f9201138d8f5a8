"""The machines' door to S3, inside the router.

Without credentials a machine reads what a bucket's policy lets it: its requests come from the
public address that it has at that moment, as through an internet gateway. With those of its role
it does what the role's policies let it, and no more. Path style, plain HTTP: there is no name and
no certificate authority that both sides know.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, unquote

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import credentials
from .api import roles
from .api.buckets import RefusedError, read
from .host import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFUSED: Final = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_ACTIONS: Final = {
    ("GET", "", frozenset()): "s3:ListBucket",
    ("HEAD", "", frozenset()): "s3:ListBucket",
    ("GET", "", frozenset({"location"})): "s3:GetBucketLocation",
    ("GET", "key", frozenset()): "s3:GetObject",
    ("HEAD", "key", frozenset()): "s3:GetObject",
    ("PUT", "key", frozenset()): "s3:PutObject",
    ("PUT", "key", frozenset({"uploadId", "partNumber"})): "s3:PutObject",
    ("POST", "key", frozenset({"uploads"})): "s3:PutObject",
    ("POST", "key", frozenset({"uploadId"})): "s3:PutObject",
    ("GET", "key", frozenset({"uploadId"})): "s3:ListMultipartUploadParts",
    ("DELETE", "key", frozenset({"uploadId"})): "s3:AbortMultipartUpload",
    ("DELETE", "key", frozenset()): "s3:DeleteObject",
}
"""By method, kind of resource and what of the query makes another call of it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""
_PLAIN: Final = frozenset(
    {"continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker"}
    | {"max-keys", "prefix", "start-after", "x-id"}
)


class Addressed(Protocol):
    """What the door wants to know of a machine."""

    public_ip: str | None


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        log.debug("s3 %s " + message, type, *args)


def serve(
    listening: socket.socket, find: Callable[[str], Addressed | None], s3: WSGIApplication
) -> BaseWSGIServer:
    """A server that answers machines for as long as `serve_forever` runs."""

    def door(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if "HTTP_AUTHORIZATION" in environ:
                return s3(_signed(environ), start_response)
            body = _unsigned(environ, find(environ["REMOTE_ADDR"]))
        except (RefusedError, ValueError) as error:
            log.info("s3 refuses %s: %s", environ["REMOTE_ADDR"], error)
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


def _unsigned(environ: WSGIEnvironment, machine: Addressed | None) -> bytes:
    """What a bucket's policy lets the machine's address read."""
    if environ["REQUEST_METHOD"] != "GET":
        raise RefusedError(f"{environ['REQUEST_METHOD']} without credentials")
    context = {"aws:securetransport": "false"}
    if machine and machine.public_ip:
        context["aws:sourceip"] = machine.public_ip
    bucket, key = _named(environ["RAW_URI"])
    return read(bucket, key, context)


def _named(uri: str) -> tuple[str, str]:
    bucket, _, key = unquote(uri.partition("?")[0]).lstrip("/").partition("/")
    return bucket, key


def _signed(environ: WSGIEnvironment) -> WSGIEnvironment:
    """The request, which is the role's that signed it, and which that may make. RefusedError."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_LENGTH", "CONTENT_TYPE")
    }
    path, _, query = environ["RAW_URI"].partition("?")
    signed = credentials.Signed(environ["REQUEST_METHOD"], path, query, headers)
    found = credentials.whose(signed)
    if found is None or found[1] != "s3":
        raise RefusedError("no signature of a machine's role")
    asked = parse_qs(query, keep_blank_values=True)
    bucket, key = _named(path)
    for action, resource in _calls(signed.method, bucket, key, asked, headers):
        if not roles.allowed(found[0], action, resource, _context(asked)):
            raise RefusedError(f"{found[0].name}: {action} {resource} with {query}")
    return _with_body(environ, headers.get("x-amz-content-sha256", ""))


def _calls(
    method: str, bucket: str, key: str, asked: Mapping[str, list[str]], headers: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The actions that the request is, each with its resource. RefusedError: none known here."""
    call = (method, "key" if key else "", frozenset(asked) - _PLAIN)
    if not bucket or call not in _ACTIONS:
        raise RefusedError(f"the embedded S3 knows no {call} for machines")
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    source = "/".join(_named(headers.get("x-amz-copy-source", "")))
    copied = [("s3:GetObject", f"arn:aws:s3:::{source}")] if source != "/" else []
    return [(_ACTIONS[call], resource), *copied]


def _context(asked: Mapping[str, list[str]]) -> dict[str, str]:
    given = {f"s3:{name}": asked[name][0] for name in ("prefix", "delimiter") if name in asked}
    return {"aws:securetransport": "false", **given}


def _with_body(environ: WSGIEnvironment, digest: str) -> WSGIEnvironment:
    """The body is the one that was signed, where it was. RefusedError."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if len(digest) == 64 and hashlib.sha256(body).hexdigest() != digest:  # noqa: PLR2004 - else a word: UNSIGNED-PAYLOAD
        raise RefusedError("another body than the signed one")
    return {**environ, "wsgi.input": io.BytesIO(body)}
