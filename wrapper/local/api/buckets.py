"""S3, as far as one bucket of programs needs it: moto's, with an account and a policy that count.

moto looks at no condition of a bucket policy. So a request without credentials is refused at the
API's door, where on AWS a policy could let it pass, and machines have a door of their own
(wrapper/local/gateway.py), which reads here what the policy lets them.
"""

from __future__ import annotations

import io
import itertools
import json
import threading
from typing import TYPE_CHECKING, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends

from wrapper.local.api import policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ACCOUNTS = itertools.count(int(DEFAULT_ACCOUNT_ID))
_LOCK = threading.RLock()
_REFUSED: Final = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class RefusedError(Exception):
    """The policy does not let the request pass, or there is nothing that it could let pass."""


def _permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """Whether the policy denies the owner something. The API stands for AWS's, which has TLS."""
    said = bucket.policy and policy.decision(
        json.loads(bucket.policy),
        action=action,
        resource=resource,
        context={"aws:securetransport": "true"},
    )
    return PermissionResult.DENIED if said == "Deny" else PermissionResult.NEUTRAL


# moto would deny the owner what is only denied on a condition.
setattr(FakeBucket, "get_permission", _permission)  # noqa: B010 - to mypy a method is no variable


def account() -> str:
    """An account with no bucket and no role; the process's first is that of all other services."""
    return str(next(_ACCOUNTS))


def of_account(app: WSGIApplication, number: str) -> WSGIApplication:
    """moto's service for one account; it keeps what it holds for the whole process else."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return app({**environ, "HTTP_X_MOTO_ACCOUNT_ID": number}, start_response)

    return serve


def one_at_a_time(app: WSGIApplication) -> WSGIApplication:
    """moto reads an object's buffer for its digest, in whichever thread asks first."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        # Nobody waits for what a client is slow to send.
        body = io.BytesIO(environ["wsgi.input"].read(length)) if length else environ["wsgi.input"]
        with _LOCK:
            return app({**environ, "wsgi.input": body}, start_response)

    return serve


def closed(app: WSGIApplication) -> WSGIApplication:
    """S3, closed to whoever shows no credentials."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        signed = "HTTP_AUTHORIZATION" in environ or "X-Amz-Signature=" in environ["QUERY_STRING"]
        if signed:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [_REFUSED]

    return serve


def read(bucket: str, key: str, context: Mapping[str, str]) -> bytes:
    """The object, for a request without credentials; RefusedError unless the policy allows it.

    As on AWS, who may not list a bucket does not learn whether an object is there:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    partition, owner = s3_backends.bucket_accounts.get(bucket, ("", ""))
    if not owner:
        raise RefusedError(f"no bucket {bucket}")
    backend = s3_backends[owner][partition]
    try:
        found = backend.head_bucket(bucket)
    except MissingBucket as error:
        raise RefusedError(f"no bucket {bucket}") from error
    resource = f"arn:{partition}:s3:::{bucket}/{key}"
    said = found.policy and policy.decision(
        json.loads(found.policy), action="s3:GetObject", resource=resource, context=context
    )
    if said != "Allow":
        raise RefusedError(f"{resource} for {dict(context)}")
    held = backend.get_object(bucket, key)
    if held is None:
        raise RefusedError(f"no object {resource}")
    value: bytes = held.value
    return value
