"""The notebook's end of the door: where it is now, and a pinned connection to it."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from wrapper.carrier.messages import LIMIT, ClosedError, Head, MalformedError, read_response, status
from wrapper.errors import CloudsError, NoAnswerError, ReplacedError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.carrier.model import Upstream

_CONNECTED_WITHIN = 8.0
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

    async def connect(self) -> tuple[Upstream, asyncio.StreamReader, asyncio.StreamWriter]:
        """A verified connection. CloudsError for now, ReplacedError for good."""
        was = self._now
        if was is not None:
            try:
                return was, *await _open(was)
            except (OSError, TimeoutError):  # ssl's errors too: its certificate is a new one
                self.forget(was)
        found = await self._look()
        try:
            return found, *await _open(found)
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
                async with asyncio.timeout(_CONNECTED_WITHIN):
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


class _Inflow(asyncio.StreamReaderProtocol, asyncio.BufferedProtocol):
    """What comes is deciphered into one buffer.

    Without one, asyncio makes 256 KiB for each TLS record of 16, which took half of the time:
    https://github.com/python/cpython/blob/3.11/Lib/asyncio/sslproto.py, _do_read__copied
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._room = memoryview(bytearray(LIMIT))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio calls it so)
        """Where the next bytes go."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """So many came."""
        self.data_received(bytes(self._room[:nbytes]))


async def _open(there: Upstream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_CONNECTED_WITHIN):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LIMIT)
        transport, protocol = await loop.create_connection(
            lambda: _Inflow(reader),
            there.host,
            there.port,
            ssl=there.context,
            server_hostname=there.host,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    _notice_silence(writer.get_extra_info("socket"))
    return reader, writer


async def _knows_login(there: Upstream) -> bool:
    reader, writer = await _open(there)
    cookies = "; ".join(f"{key}={value}" for key, value in there.cookies.items())
    fields = (("Host", there.authority), ("Cookie", cookies), ("Connection", "close"))
    try:
        writer.write(Head(f"GET {_KNOWS_US} HTTP/1.1", fields).encode())
        return status(await read_response(reader)) not in _UNKNOWN
    finally:
        writer.close()


def _notice_silence(sock: socket.socket) -> None:
    """A machine that is gone says nothing, not even goodbye: half a minute, then it is closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # not all of them on macOS
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
