"""What machines ask of S3, path style.

Without credentials a machine reads what a bucket's policy lets it: its requests come from the
public address that it has at that moment, as through an internet gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, unquote

from .api.buckets import RefusedError, read
from .credentials import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from .credentials import Signed

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


def unsigned(environ: WSGIEnvironment, machine: Addressed | None) -> bytes:
    """What a bucket's policy lets the machine's address read. RefusedError, ValueError."""
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


def calls(signed: Signed, _: bytes) -> list[Call]:
    """What a request asks for. RefusedError: it is none that is known here."""
    asked = parse_qs(signed.query, keep_blank_values=True)
    bucket, key = _named(signed.path)
    call = (signed.method, "key" if key else "", frozenset(asked) - _PLAIN)
    if not bucket or call not in _ACTIONS:
        raise RefusedError(f"the embedded S3 knows no {call} for machines")
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    found = [Call(_ACTIONS[call], resource, _context(asked))]
    source = "/".join(_named(signed.headers.get("x-amz-copy-source", "")))
    if source != "/":
        found.append(Call("s3:GetObject", f"arn:aws:s3:::{source}", _context(asked)))
    return found


def _context(asked: Mapping[str, list[str]]) -> dict[str, str]:
    given = {f"s3:{name}": asked[name][0] for name in ("prefix", "delimiter") if name in asked}
    return {"aws:securetransport": "false", **given}
