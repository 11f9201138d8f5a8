"""A local door in a thread, and who goes through it."""

from __future__ import annotations

import asyncio
import http.client
import queue
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper.carrier import Upstream
from wrapper.carrier.serving import _serve
from wrapper.certificate import fingerprints
from wrapper.notebook import Notebook, Pin
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import LiveJupyter


def pinned(jupyter: LiveJupyter) -> Pin:
    """To its certificate."""
    pem = jupyter.minted.certificate
    found = fingerprints(ssl.PEM_cert_to_DER_cert(pem))
    return Pin(pem, found.certificate_sha256, found.key_sha256)


def upstream(jupyter: LiveJupyter) -> Upstream:
    """Logged in."""
    pin = pinned(jupyter)
    with Notebook(jupyter.url, pin, jupyter.password) as notebook:
        notebook.login()
        return Upstream(jupyter.host, jupyter.port, trust_only(pin.pem), notebook.cookies)


class Door:
    """One that runs in a thread of its own, and is closed at the end."""

    def __init__(
        self, first: Upstream, find: Callable[[], Upstream], port: int | None = None
    ) -> None:
        self.links: queue.Queue[str] = queue.Queue()
        self.port = 0
        self._ready = threading.Event()
        self._first, self._find, self._port = first, find, port
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(30)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            await _serve("moon", self._first, self._find, self._told, self._port)

        try:
            asyncio.run(main())
        except asyncio.CancelledError:
            pass
        finally:
            self._ready.set()

    def _told(self, url: str, port: int, *, first: bool, token: str) -> None:
        self.links.put(url)
        self.token = token
        if first:
            self.port = port
            self._ready.set()

    def close(self) -> None:
        """Nothing of it runs."""
        assert self._task
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive()


@dataclass
class Answer:
    """Of one request."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Browser:
    """What goes by one door, with the cookie that it gave."""

    door: Door
    cookie: str = ""

    @property
    def host(self) -> str:
        """As the door is named."""
        return f"127.0.0.1:{self.door.port}"

    def ask(
        self, method: str, path: str, body: Any = None, *, chunked: bool = False, **headers: str
    ) -> Answer:
        """As a page of the door would, unless the headers say otherwise."""
        fields = {"Host": self.host, "Cookie": self.cookie}
        if method not in ("GET", "HEAD"):
            fields["Origin"] = f"http://{self.host}"
        fields |= {key.replace("_", "-"): value for key, value in headers.items()}
        one = http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=60)
        try:
            one.request(method, path, body, {**fields}, encode_chunked=chunked)
            found = one.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            one.close()

    def enter(self) -> Answer:
        """The link was opened and its cookie kept."""
        path = "/" + self.door.links.get(timeout=30).split("/", 3)[3]
        answer = self.ask("GET", path)
        self.cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        return answer
