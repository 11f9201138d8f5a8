"""The login form: tried once, and again where somebody else's try was in its way."""

from __future__ import annotations

import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from wrapper.errors import ThrottledError

if TYPE_CHECKING:
    import requests

    from wrapper.notebook.session import PinnedSession

PATIENCE = 10.0
"""Seconds that a login waits for its turn."""
_SPREAD = 0.5
"""Seconds over which those who wait come back: together they would be in each other's way again."""
_UNSAID = 2.0
"""Seconds, where the notebook does not say how long."""


def log_in(
    session: PinnedSession, base: str, password: str, *, patience: float
) -> requests.Response:
    """The answer to the password, or to the question for the form where that was refused.

    The notebook counts a try as failed until its password has been looked at, so that two logins
    at the same moment are one too many: the second waits, as long as it is told to. ThrottledError
    when that is longer than `patience` seconds.
    """
    until = time.monotonic() + patience
    while True:
        answer = _try(session, base, password)
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            return answer
        told = answer.headers.get("Retry-After", "")
        wait = float(told) if told.isdecimal() else _UNSAID
        if time.monotonic() + wait > until:
            raise ThrottledError(
                f"The notebook at {session.origin} lets nobody log in from this address for "
                f"{wait:g} s: too many tries, or wrong passwords.",
                hint="Wait, then: python -m wrapper check",
                seconds=wait,
            )
        time.sleep(wait + random.uniform(0, _SPREAD))  # noqa: S311 (no secret)


def _try(session: PinnedSession, base: str, password: str) -> requests.Response:
    # Jupyter gives the cookie against forged requests with its login page.
    page = session.send("GET", f"{base}/login")
    if page.status_code != HTTPStatus.OK:
        return page
    fields = {"password": password, "_xsrf": session.cookies.get("_xsrf") or ""}
    return session.send("POST", f"{base}/login", data=fields)
