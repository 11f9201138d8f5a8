"""A verified connection to the notebook, by way of a proxy where there is one."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wrapper.carrier.line import Line
from wrapper.carrier.records import Records

if TYPE_CHECKING:
    from wrapper.carrier.model import Upstream

_WITHIN = 8.0
"""Seconds."""
_HEAD = 16 * 1024
"""Bytes of a proxy's answer."""


async def dial(there: Upstream) -> Line:
    """TLS stands, and the certificate is the pinned one. OSError, TimeoutError."""
    async with asyncio.timeout(_WITHIN):
        sock = await _connected(there)
        try:
            _notice_silence(sock)
            line = Line(Records(sock, there.context, there.host))
        except BaseException:
            sock.close()
            raise
        try:
            await line.shake_hands()
        except BaseException:
            line.close()
            raise
        return line


async def _connected(there: Upstream) -> socket.socket:
    if there.proxy is None:
        return await _reached(there.host, there.port)
    parts = urlsplit(there.proxy)
    sock = await _reached(parts.hostname or "", parts.port or 80)
    try:
        await _ask_through(sock, there, parts.username, parts.password)
    except BaseException:
        sock.close()
        raise
    return sock


async def _reached(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise failure


async def _ask_through(
    sock: socket.socket, there: Upstream, user: str | None, password: str | None
) -> None:
    """What is sent from here on reaches the notebook. OSError.

    https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
    """
    loop = asyncio.get_running_loop()
    login = ""
    if user is not None:
        known = f"{unquote(user)}:{unquote(password or '')}".encode()
        login = f"Proxy-Authorization: Basic {base64.b64encode(known).decode()}\r\n"
    target = there.authority
    asked = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n"
    await loop.sock_sendall(sock, asked.encode())
    answer = b""
    # Byte by byte: what follows is the TLS of the notebook, which waits until it is greeted.
    while not answer.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(sock, 1)
        if not piece or len(answer) > _HEAD:
            raise ConnectionError("the proxy hung up")
        answer += piece
    words = answer.split(b" ", 2)
    if len(words) < 2 or words[1] != b"200":  # noqa: PLR2004 (OK)
        said = answer.partition(b"\r\n")[0].decode("latin-1")
        raise ConnectionError(f"the proxy answered: {said[:100]}")


def _notice_silence(sock: socket.socket) -> None:
    """A machine that is gone says nothing, not even goodbye: half a minute, then it is closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # not all of them on macOS
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
