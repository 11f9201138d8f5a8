"""Asking the daemon for what no client of EC2 can ask: capacity, prices, quotas, interruptions."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from wrapper.errors import LocalError

from .health import CONTROL
from .record import read

_TIMEOUT = 30.0


def ask(path: str, **arguments: Any) -> Any:
    """The daemon did it; what it told. LocalError when it refuses, or none runs."""
    record = read()
    if record is None or record.stage:
        raise LocalError("The embedded EC2 does not run.", hint="python -m wrapper local start")
    request = urllib.request.Request(
        f"http://127.0.0.1:{record.port}{CONTROL}{path}",
        data=json.dumps(arguments).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as reply:
            return json.loads(reply.read())["told"]
    except urllib.error.HTTPError as error:
        raise _refusal(error) from error
    except (OSError, ValueError, LookupError) as error:
        raise LocalError(
            f"the embedded EC2 does not answer: {error}", hint="python -m wrapper local status"
        ) from error


def _refusal(error: urllib.error.HTTPError) -> LocalError:
    try:
        told = json.loads(error.read())
        return LocalError(told["message"], hint=told["hint"])
    except (OSError, ValueError, LookupError, TypeError):
        return LocalError(
            f"the embedded EC2 that runs answers {error.code}: it is another version's",
            hint="python -m wrapper local stop && python -m wrapper local start",
        )
