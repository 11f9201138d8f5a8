"""The notebook's end of the door: where it is now, and a pinned connection to it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wrapper.carrier.dialing import dial
from wrapper.carrier.messages import ClosedError, Head, MalformedError, read_response, status
from wrapper.errors import CloudsError, NoAnswerError, ReplacedError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.carrier.line import Line
    from wrapper.carrier.model import Upstream

_ASKED_WITHIN = 8.0
"""Seconds."""
_PAUSE = 3.0
"""Seconds between two looks for a notebook that was not found."""
_KNOWS_US = "/api/status"
"""Answered to every login, whatever files it may read; and no use of the machine: ADR 0009."""

_UNKNOWN = (302, 401, 403)
"""Answers to somebody who is not logged in."""


class FarEnd:
    """Looks the notebook up again whenever it is no longer where it was."""

    def __init__(self, find: Callable[[], Upstream], first: Upstream) -> None:
        self._find = find
        self._now: Upstream | None = first
        self._lock = asyncio.Lock()
        self._failure: CloudsError | None = None
        self._again_at = 0.0
        self._asked: tuple[Upstream, float] | None = None

    async def connect(self) -> tuple[Upstream, Line]:
        """A verified connection. CloudsError for now, ReplacedError for good."""
        was = self._now
        if was is not None:
            try:
                return was, await dial(was)
            except (OSError, TimeoutError):  # ssl's errors too: its certificate is a new one
                self.forget(was)
        found = await self._look()
        try:
            return found, await dial(found)
        except (OSError, TimeoutError) as error:
            self.forget(found)
            raise NoAnswerError(f"{found.authority} does not answer.") from error

    def is_still(self, there: Upstream) -> bool:
        """Nothing has said since that the notebook is elsewhere, or knows the login no more."""
        return self._now is there

    def forget(self, what: Upstream) -> None:
        """It is looked up, and logged in to, again."""
        if self._now is what:
            self._now = None

    async def doubt(self, there: Upstream) -> None:
        """It refused something: forgotten where it no longer knows the login.

        A file that the notebook's user may not read is refused to a good login too, and the page
        that shows its folder asks for it every few seconds: that is no reason to log in again.
        """
        async with self._lock:
            if self._now is not there or (
                self._asked is not None
                and self._asked[0] is there
                and time.monotonic() < self._asked[1] + _PAUSE
            ):
                return
            self._asked = there, time.monotonic()
            try:
                async with asyncio.timeout(_ASKED_WITHIN):
                    known = await _knows_login(there)
            except (OSError, TimeoutError, ClosedError, MalformedError):
                return  # whoever asks next finds out what that is
            if not known:
                self.forget(there)

    async def _look(self) -> Upstream:
        async with self._lock:
            if self._now is not None:
                return self._now
            # A machine that was replaced stays so; all else passes: a restart, a network that was
            # somebody else's for a while, a password that is put right.
            if self._failure is not None and (
                isinstance(self._failure, ReplacedError) or time.monotonic() < self._again_at
            ):
                raise self._failure
            try:
                self._now = await asyncio.to_thread(self._find)
            except CloudsError as error:
                wait = error.seconds if isinstance(error, ThrottledError) else 0.0
                self._failure, self._again_at = error, time.monotonic() + max(wait, _PAUSE)
                raise
            self._failure = None
            return self._now


async def _knows_login(there: Upstream) -> bool:
    line = await dial(there)
    cookies = "; ".join(f"{key}={value}" for key, value in there.cookies.items())
    fields = (("Host", there.authority), ("Cookie", cookies), ("Connection", "close"))
    try:
        line.write(Head(f"GET {_KNOWS_US} HTTP/1.1", fields).encode())
        return status(await read_response(line)) not in _UNKNOWN
    finally:
        line.close()
