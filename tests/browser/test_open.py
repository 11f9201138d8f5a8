"""JupyterLab through the local door of `open`: no login, no warning, a cell runs."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PASSWORD, PATIENCE, SCREENSHOTS
from tests.browser.test_notice import NOTICE
from tests.unit.doors import ask
from wrapper.carrier import Upstream
from wrapper.carrier.serving import _serve
from wrapper.certificate import fingerprints
from wrapper.notebook import Notebook, Pin
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOAST = ".Toastify__toast"


def upstream(lab: Lab, port: int) -> Upstream:
    """Logged in at that port: Jupyter names its cookie after it."""
    pem = lab.certificate.read_text()
    found = fingerprints(ssl.PEM_cert_to_DER_cert(pem))
    pin = Pin(pem, found.certificate_sha256, found.key_sha256)
    with Notebook(f"https://127.0.0.1:{port}", pin, PASSWORD) as notebook:
        notebook.login()
        return Upstream("127.0.0.1", port, trust_only(pem), notebook.cookies)


class Road:
    """A way to the notebook that can be taken away, as when its machine has another address."""

    def __init__(self, lab: Lab) -> None:
        self.ends: list[socket.socket] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self._there = ("127.0.0.1", lab.port)
        threading.Thread(target=self._meet, daemon=True).start()

    def _meet(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, there = self.listening.accept()[0], socket.create_connection(self._there)
                self.ends += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Nobody comes by it, and who was on it is cut off."""
        for one in (self.listening, *self.ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # closing alone wakes nobody
            one.close()


@pytest.fixture
def road(lab: Lab) -> Iterator[Road]:
    made = Road(lab)
    yield made
    made.close()


@pytest.fixture
def link(lab: Lab, road: Road) -> Iterator[str]:
    """The door's, open for as long as the test; it knows the road, and finds another way."""
    heard: queue.Queue[str] = queue.Queue()
    running: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = queue.Queue()
    first = upstream(lab, road.port)

    def told(url: str, port: int, *, first: bool, token: str) -> None:
        del port, first, token
        heard.put(url)

    async def main() -> None:
        task = asyncio.create_task(
            _serve("browser", first, lambda: upstream(lab, lab.port), told, None)
        )
        running.put((asyncio.get_running_loop(), task))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    loop, task = running.get(timeout=180)
    yield heard.get(timeout=180)
    loop.call_soon_threadsafe(task.cancel)
    thread.join(30)
    assert not thread.is_alive()


def test_cells_run_and_a_notice_is_seen_through_the_door_also_at_another_address_with_no_login(
    browser: BrowserContext, lab: Lab, link: str, road: Road
) -> None:
    lab.write("door.ipynb", "x = 6 * 7; print(x)", "print(x + 1)")
    origin = link.partition("/open/")[0]
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    try:
        # From a file, as `open` starts it: the cookie has to pass from there too.
        handed = lab.folder / "open.html"
        handed.write_text(f'<meta http-equiv="refresh" content="0; url={link}">')
        page.goto(handed.as_uri())
        page.wait_for_url(f"{origin}/lab**", timeout=PATIENCE * 1000)
        page.goto(f"{origin}/lab/workspaces/{time.monotonic_ns()}/tree/door.ipynb")
        page.wait_for_selector(r"#jp-main-statusbar >> text=/\| Idle/", timeout=PATIENCE * 1000)
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".jp-OutputArea >> text=42", timeout=PATIENCE * 1000)
        assert ask(lab.door, "POST", "/notice", NOTICE | {"id": "another"})[0] == 200
        page.wait_for_selector(f"{TOAST} >> text=AWS stops this spot", timeout=PATIENCE * 1000)
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "open.png")
        ask(lab.door, "POST", "/notice", {})
        page.wait_for_selector(TOAST, state="detached", timeout=PATIENCE * 1000)
        # Of ours there is the door's cookie, and nothing else.
        names = {
            one["name"] for one in browser.cookies(origin) if one["name"].startswith("clouds-")
        }
        assert names == {f"clouds-door-{origin.rpartition(':')[2]}"}
        assert not errors

        road.close()
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".jp-OutputArea >> text=43", timeout=PATIENCE * 1000)
    finally:
        page.close()
