"""The door itself: a server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from wrapper.carrier.far_end import FarEnd
from wrapper.carrier.gate import Gate
from wrapper.carrier.messages import LIMIT, ClosedError, MalformedError, read_request
from wrapper.carrier.owner import is_ours
from wrapper.carrier.pages import page
from wrapper.carrier.passing import Passing
from wrapper.errors import CloudsError, FailedError, FingerprintError, LoginError, ReplacedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.carrier.messages import Head
    from wrapper.carrier.model import Told, Upstream

_LOOPBACK = "127.0.0.1"
_FIRST, _MANY = 20_000, 10_000
"""Ports that no system hands out by itself: Linux begins at 32768, macOS at 49152."""


def serve(
    name: str, first: Upstream, find: Callable[[], Upstream], told: Told, *, port: int | None = None
) -> None:
    """The door is open until KeyboardInterrupt. FailedError: the port that was asked for is taken.

    `find` says where the notebook is, and may take its time; it raises what a page then shows.
    """
    asyncio.run(_serve(name, first, find, told, port))


async def _serve(
    name: str, first: Upstream, find: Callable[[], Upstream], told: Told, port: int | None
) -> None:
    far = FarEnd(find, first)
    ready: asyncio.Future[Gate] = asyncio.get_running_loop().create_future()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _Visit(name, await ready, far, told, reader, writer).last()

    server = await _listen(one, name, port)
    gate = Gate(server.sockets[0].getsockname()[1])
    ready.set_result(gate)
    told(gate.link, gate.port, first=True, token=gate.token)
    async with server:
        await server.serve_forever()


async def _listen(
    visit: Callable[..., object], name: str, port: int | None
) -> asyncio.base_events.Server:
    usual = _FIRST + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % _MANY
    for one in (usual, 0) if port is None else (port,):
        try:
            return await asyncio.start_server(visit, _LOOPBACK, one, limit=LIMIT, backlog=512)  # type: ignore[arg-type] # any callable: asyncio only calls it
        except OSError as error:
            if port is None and one and error.errno == errno.EADDRINUSE:
                continue
            taken = error.errno == errno.EADDRINUSE
            raise FailedError(
                f"Port {one} of {_LOOPBACK} "
                + ("is in use." if taken else f"cannot be had: {error.strerror}."),
                hint=f"Let one be chosen: python -m wrapper open {name}",
            ) from error
    raise AssertionError("port 0 is never in use")


class _Visit:
    """One connection of a browser: one request after the other."""

    def __init__(  # noqa: PLR0913, PLR0917 (what one connection needs)
        self,
        name: str,
        gate: Gate,
        far: FarEnd,
        told: Told,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._name, self._gate, self._told = name, gate, told
        self._reader, self._writer = reader, writer
        self._ours: bool | None = None
        self._passing = Passing(gate.origin, far, reader, writer)

    async def last(self) -> None:
        """It is over, and nothing of it is left open."""
        try:
            while await self._next():
                pass
        except ClosedError:
            pass
        except MalformedError as error:
            self._say(HTTPStatus.BAD_REQUEST, "Not understood", f"This is no good HTTP: {error}.")
        finally:
            self._passing.close()
            self._writer.close()

    async def _next(self) -> bool:
        head = await read_request(self._reader)
        if not self._is_ours():
            self._say(HTTPStatus.FORBIDDEN, "Closed", "This door is another user's.")
        elif not self._gate.is_here(head):
            self._say(
                HTTPStatus.MISDIRECTED_REQUEST, "Not here", f"This door is {self._gate.origin}/."
            )
        elif self._gate.takes(head):
            self._say(
                HTTPStatus.OK, "Opening", "JupyterLab opens.", "0; url=/lab", self._gate.set_cookie
            )
            self._told(self._gate.link, self._gate.port, first=False, token=self._gate.token)
        elif not self._gate.lets_in(head):
            self._say(
                HTTPStatus.FORBIDDEN,
                "Closed",
                "Open it with the link that the terminal shows. It is good for one use; "
                "after each a new one is shown.",
            )
        else:
            return await self._pass(head)
        return False

    def _is_ours(self) -> bool:
        """What has connected is this user's; asked once."""
        if self._ours is None:
            peer = self._writer.get_extra_info("peername")  # None of one that has gone already
            self._ours = peer is not None and is_ours(peer[1], self._gate.port)
        return self._ours

    async def _pass(self, head: Head) -> bool:
        try:
            return await self._passing.on(head)
        except CloudsError as error:
            words = f"{error.message} {error.hint or ''}".strip()
            if isinstance(error, ReplacedError):
                self._say(HTTPStatus.BAD_GATEWAY, "Refused", words)
            elif isinstance(error, (FingerprintError, LoginError)):
                # Nothing was sent there, or nothing is until the password is another: it may pass.
                self._say(HTTPStatus.BAD_GATEWAY, "Refused", words, "15")
            else:
                self._say(HTTPStatus.SERVICE_UNAVAILABLE, "Waiting for the machine", words, "3")
            return False

    def _say(
        self,
        status: HTTPStatus,
        title: str,
        words: str,
        refresh: str | None = None,
        cookie: str = "",
    ) -> None:
        if not self._passing.begun:
            self._writer.write(page(status, title, words, refresh=refresh, cookie=cookie))
