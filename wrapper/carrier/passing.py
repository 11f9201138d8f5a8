"""Requests that may pass: rewritten as if sent by a page of the notebook's own, and answered."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from wrapper.carrier import messages
from wrapper.carrier.gate import PARAMETER
from wrapper.carrier.messages import ClosedError, Head
from wrapper.errors import NoAnswerError

if TYPE_CHECKING:
    from wrapper.carrier.far_end import FarEnd
    from wrapper.carrier.line import Line
    from wrapper.carrier.messages import Reader, Writer
    from wrapper.carrier.model import Upstream

_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade")
"""They are for one connection only: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1"""
_REWRITTEN = ("host", "origin", "referer", "cookie", "x-xsrftoken", "expect", "authorization")
_KEPT_BACK = ("set-cookie", "strict-transport-security", "alt-svc")
_SWITCHING, _OVER = 101, 200
_REDIRECTED, _REFUSED = 302, 403


class Passing:
    """One connection to the notebook for one of the browser's."""

    def __init__(
        self,
        origin: str,
        far: FarEnd,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._origin, self._far = origin, far
        self._reader, self._writer = reader, writer
        self._open: tuple[Upstream, Line] | None = None
        self.begun = False
        """Something of an answer was passed on."""

    def close(self) -> None:
        """The notebook's connection is closed."""
        if self._open:
            self._open[1].close()
            self._open = None

    async def on(self, head: Head) -> bool:
        """The request is answered; whether another may follow. CloudsError, ClosedError."""
        self.begun = False
        length = messages.request_length(head)
        if self._open and not self._far.is_still(self._open[0]):
            self.close()
        used = self._open is not None
        try:
            return await self._once(head, length)
        except (ClosedError, OSError) as error:
            self.close()
            # Closed by the notebook while nothing was asked: a request without body goes again.
            if not used or self.begun or length:
                raise self._lost(error) from error
        try:
            return await self._once(head, length)
        except (ClosedError, OSError) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> Exception:
        if self.begun:
            return ClosedError()
        return NoAnswerError(f"The connection to the notebook was lost. {error}".strip())

    async def _once(self, head: Head, length: int) -> bool:
        if self._open is None:
            self._open = await self._far.connect()
        there, line = self._open
        if "100-continue" in head.tokens("expect"):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.write(_for_notebook(head, self._origin, there).encode())
        sending = asyncio.create_task(messages.carry(self._reader, line, length))
        try:
            answer = await _first_answer(line, sending)
            return await self._answered(head, answer, sending)
        finally:
            if not sending.done():
                sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ClosedError, OSError):
                await sending

    async def _answered(self, head: Head, answer: Head, sending: asyncio.Task[None]) -> bool:
        assert self._open is not None  # noqa: S101 (for mypy)
        there, line = self._open
        if messages.status(answer) == _SWITCHING:
            await sending
            self._pass_head(answer, there, ("Connection", "Upgrade"), ("Upgrade", "websocket"))
            await _splice((self._reader, line), (line, self._writer))
            return False
        await self._check_login(head, answer, there)
        length = messages.response_length(answer, head.first.split(" ")[0])
        asked_to_close = "close" in head.tokens("connection") | answer.tokens("connection")
        over = (
            asked_to_close or length == messages.TO_THE_END or answer.first.startswith("HTTP/1.0")
        )
        self._pass_head(answer, there, ("Connection", "close" if over else "keep-alive"))
        # OpenSSL takes one of both at a time: not while something is being sent yet.
        quick = partial(line.carry, self._writer) if sending.done() else None
        await messages.carry(line, self._writer, length, quick)
        await self._writer.drain()
        # An answer before the request's end: what is left of that would be taken for the next.
        return not over and sending.done()

    def _pass_head(self, answer: Head, there: Upstream, *more: tuple[str, str]) -> None:
        own = f"https://{there.authority}"
        fields = tuple(
            (key, value.removeprefix(own) if key.lower() == "location" else value)
            for key, value in answer.without(*_HOP, *_KEPT_BACK)
        )
        self.begun = True
        self._writer.write(Head(answer.first, (*fields, *more)).encode())

    async def _check_login(self, head: Head, answer: Head, there: Upstream) -> None:
        """A notebook that no longer knows the login (a new machine's) is logged in to again."""
        place = (answer.one("location") or "").removeprefix(f"https://{there.authority}")
        path = head.first.split(" ")[1]
        if messages.status(answer) == _REDIRECTED and place.startswith("/login"):
            self._far.forget(there)
            raise NoAnswerError("The notebook is being logged in to again.")
        if messages.status(answer) == _REFUSED and path.startswith("/api/"):
            await self._far.doubt(there)


async def _first_answer(reader: Reader, sending: asyncio.Task[None]) -> Head:
    """The final one, or the switch to another protocol; no longer waited for than is sent."""

    async def final() -> Head:
        while True:
            answer = await messages.read_response(reader)
            if messages.status(answer) >= _OVER or messages.status(answer) == _SWITCHING:
                return answer

    receiving = asyncio.create_task(final())
    try:
        await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            sending.result()  # raises what ended it
        return await receiving
    finally:
        receiving.cancel()


def _for_notebook(head: Head, origin: str, there: Upstream) -> Head:
    """Without the door's cookie, with the notebook's, and from its own origin."""
    own = f"https://{there.authority}"
    fields = [("Host", there.authority)]
    if head.all("origin"):
        fields.append(("Origin", own))
    referer = head.one("referer") or ""
    if referer.startswith(f"{origin}/"):
        fields.append(("Referer", own + referer.removeprefix(origin)))
    fields.append(("Cookie", "; ".join(f"{key}={value}" for key, value in there.cookies.items())))
    if "_xsrf" in there.cookies:
        # Jupyter's proof that its own page sent this; the gate has seen to that.
        fields.append(("X-XSRFToken", there.cookies["_xsrf"]))
    if "upgrade" in head.tokens("connection") and head.tokens("upgrade") == {"websocket"}:
        fields += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    return Head(_without_token(head.first), (*fields, *head.without(*_HOP, *_REWRITTEN)))


def _without_token(line: str) -> str:
    """The request's first line; the door's token is for the door."""
    method, target, version = line.split(" ")
    path, mark, query = target.partition("?")
    kept = [one for one in query.split("&") if unquote_plus(one.partition("=")[0]) != PARAMETER]
    return f"{method} {path}{mark * bool(kept)}{'&'.join(kept)} {version}"


async def _splice(*ways: tuple[Reader, Writer]) -> None:
    """Bytes go both ways until one end is done."""
    tasks = [
        asyncio.create_task(messages.carry(reader, writer, messages.TO_THE_END))
        for reader, writer in ways
    ]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for one in pending:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
