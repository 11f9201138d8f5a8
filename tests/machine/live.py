"""A notebook that answers, and what is asked of it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import websocket

from wrapper.errors import NoAnswerError
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.shells import Shell


@dataclass(frozen=True)
class Live:
    """A notebook that answers, and what is needed to verify it."""

    url: str
    password: str
    key_sha256: str
    shell: Shell | None = None
    own: bool = False
    """Made for these tests: they may change it."""
    name: str = ""
    """Of an own one's deployment."""
    environment: dict[str, str] = field(default_factory=dict)
    """In which commands know of it."""
    domain: str | None = None
    """What its certificate may be for, in place of the address."""
    bucket: str = ""
    """NAME/PREFIX in the embedded S3, which an own one's machine has."""

    @property
    def host(self) -> str:
        """The address in the URL."""
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        """The port in the URL."""
        return urlsplit(self.url).port or 443

    @contextmanager
    def notebook(self, *, password: str | None = None) -> Iterator[Notebook]:
        """The notebook over a connection of its own, pinned, not logged in."""
        pinned = pin(
            self.host,
            self.port,
            key_sha256=self.key_sha256,
            domain=self.domain,
            environment=os.environ,
        )
        with Notebook(
            self.url, pinned, password or self.password, environment=os.environ
        ) as notebook:
            yield notebook

    @contextmanager
    def logged_in(self) -> Iterator[Notebook]:
        """The notebook, logged in; waits while it lets nobody log in from here."""
        with self.notebook() as notebook:
            answering(notebook.login, within=180)
            yield notebook


def is_done(notebook: Notebook, phase: str) -> bool:
    """Whether the machine is through with it; it must not have failed."""
    told = notebook.clouds_status().phases.get(phase)
    assert told is None or told.state != "failed", told
    return told is not None and told.state == "done"


def answering(call: Any, *, within: float) -> Any:
    """What the call returns, tried until it raises no NoAnswerError, for so many seconds."""
    until = time.monotonic() + within
    while True:
        try:
            return call()
        except NoAnswerError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def open_channels(
    live: Live,
    notebook: Notebook,
    kernel_id: str,
    *,
    origin: str,
    path: str = "api/kernels/{}/channels",
) -> websocket.WebSocket:
    """A kernel's websocket as a page of that origin opens it, with the user's cookies."""
    session = notebook._session
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    sock = session.context.wrap_socket(
        socket.create_connection((live.host, live.port), 20), server_hostname=live.host
    )
    try:
        return websocket.create_connection(
            f"{live.url.rstrip('/').replace('https', 'wss', 1)}/{path.format(kernel_id)}",
            socket=sock,
            origin=origin,
            cookie=cookies,
            timeout=20,
        )
    except websocket.WebSocketException:
        sock.close()
        raise
