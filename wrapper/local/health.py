"""How the daemon is, as it tells itself: it answers, it starts, it is slow, or there is none."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from wrapper.errors import LocalError

from . import Status
from .record import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from .record import Record

HEALTH = "/_jupyter_clouds/health"
CONTROL = "/_jupyter_clouds/control/"
STARTING = 900.0
"""Seconds that a start may take: the first makes a root file system."""
SLOW = 120.0
"""Seconds that one may not answer: a computer that is busy or short of memory keeps it waiting."""
_SILENT = "not answering"
_ONE_REQUEST = 10.0
_LOOK_AGAIN = 0.2


def ask(record: Record) -> dict[str, Any] | None:
    """What that daemon says of itself; None when it does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{record.port}{HEALTH}"
    try:
        with opener.open(url, timeout=_ONE_REQUEST) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
    except (OSError, ValueError):
        return None
    return answer if answer.get("pid") == record.pid else None


def status() -> Status:
    """See the door."""
    record = read()
    if record is None:
        return Status(running=False)
    health = None if record.stage else ask(record)
    if health is None:
        stage = record.stage or _SILENT
        return Status(running=False, pid=record.pid, stage=stage, installation=record.package)
    endpoint = f"http://127.0.0.1:{record.port}"
    env = {
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",  # boto3 does not read AWS_REGION, Go does not read this
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "embedded",
    }
    return Status(
        running=True,
        endpoint=endpoint,
        env=env | record.variables,
        pid=record.pid,
        machines=health["machines"],
        installation=record.package,
        market=health.get("market", {}),
    )


def settled(report: Callable[[str], None]) -> Status:
    """See the door."""
    since, told = time.monotonic(), ""
    while True:
        now = status()
        if now.running or now.pid is None:
            return now
        if now.stage != told:
            since, told = time.monotonic(), now.stage
            report(f"the embedded EC2 (process {now.pid}) is {told}; waiting")
        patience = SLOW if told == _SILENT else STARTING
        if time.monotonic() - since > patience:
            raise LocalError(
                f"the embedded EC2 (process {now.pid}) is {told}, for {patience:.0f} s now",
                hint="again in a moment; python -m wrapper local stop ends it, machines and all",
            )
        time.sleep(_LOOK_AGAIN)
