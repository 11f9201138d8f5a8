"""Services that speak AWS's JSON protocol: one POST, the operation in a header.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import RLock

    from wrapper.local.api.room import Room

    Operation = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
    """What was asked, in which region."""

ERRORS = {"denied": "AccessDeniedException", "throttled": "ThrottlingException"}
TYPE = "application/x-amz-json-1.1"


class ServiceError(Exception):
    """An answer that is an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def create_json_service(
    name: str, operations: Mapping[str, Operation], room: Room, lock: RLock
) -> Flask:
    """A WSGI application for requests that are signed for the service of that name."""
    app = Flask(f"jupyter-clouds-{name}", static_folder=None)

    def answer(operation: str, region: str) -> Mapping[str, Any]:
        if refused := room.refusals.take(f"{name}:{operation}"):
            raise ServiceError(ERRORS[refused], f"not authorized: {name}:{operation}")
        if operation not in operations:
            raise ServiceError("UnknownOperationException", operation)
        return operations[operation](json.loads(request.get_data() or b"{}"), region)

    @app.post("/")
    def dispatch() -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.headers["Authorization"])
        try:
            with lock:
                told = answer(operation, signed[1] if signed else "us-east-1")
        except ServiceError as error:
            body = json.dumps({"__type": error.code, "message": error.message})
            return Response(body, status=400, mimetype=TYPE)
        return Response(json.dumps(told), mimetype=TYPE)

    return app
