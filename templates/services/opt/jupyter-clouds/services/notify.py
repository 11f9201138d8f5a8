#!/usr/bin/python3 -IBu
"""Tells the webhook that the user gave, once, as the user: notify.py EVENT TEXT.

The address is a secret: it comes over the notebook's connection, lies in Jupyter's state (0600) and
is never printed. docs/adr/0015-notify.md
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

STATE = "/var/lib/jupyter-clouds/notebook/webhook"
FILE = Path(os.environ.get("CLOUDS_WEBHOOK", STATE))
SECONDS = 5  # whoever starts this ends it then: names and TLS may take longer than each wait here


class Refused(urllib.request.HTTPRedirectHandler):
    """Redirects are not followed: they would take the words, and the way there, elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """None: the answer itself is the error."""


def post(url: str, body: dict[str, str]) -> int:
    """The status of what was answered. Raises OSError, ValueError."""
    if urlsplit(url).scheme != "https":
        raise ValueError("the webhook is no https:// address")
    request = urllib.request.Request(  # noqa: S310 - https, as seen above
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "User-Agent": "jupyter-clouds"},
    )
    opener = urllib.request.build_opener(Refused)
    with opener.open(request, timeout=SECONDS) as answer:
        return int(answer.status)


def why(error: Exception) -> str:
    """In words that do not have the address in them."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the webhook answers {error.code}"
    reason = getattr(error, "reason", error)
    return f"the webhook cannot be reached: {getattr(reason, 'strerror', None) or reason}"


def main() -> int:
    event, text = sys.argv[1:3]
    try:
        url = FILE.read_text().strip()
    except FileNotFoundError:
        print(json.dumps({"ok": 0, "note": "no webhook"}))
        return 0
    # The name of the machine is that of the deployment.
    name = os.uname().nodename
    words = f"{name}: {text}"
    body = {
        # What Slack, Mattermost, Teams and Google Chat show, and what Discord does.
        "text": words,
        "content": words,
        "event": event,
        "name": name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    try:
        print(json.dumps({"ok": 1, "status": post(url, body)}))
    except (OSError, ValueError) as error:
        print(json.dumps({"ok": 0, "failed": 1, "error": why(error)[:300]}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
