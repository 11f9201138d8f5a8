"""JupyterLab by the local door of `open`: no login, no warning; cells run, clicks are heard."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, PATIENCE, SCREENSHOTS
from tests.browser.watch import Watch, watch
from tests.unit.doors import ask
from wrapper.carrier import Upstream
from wrapper.carrier.serving import _serve
from wrapper.certificate import fingerprints
from wrapper.notebook import Notebook, Pin
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

    from tests.browser.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["watch"]  # a fixture, for pytest to find here

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


IDLE = {
    "level": "warning",
    "yields": True,
    "time": "2026-11-23T10:11:12Z",
    "text": "Nothing runs here and nobody types. At {time} everything is saved and this machine"
    " stops.",
}
BUTTONS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"label": "Stay", "command": "jupyter-clouds:stay"}, {"do": "stay"}),
    (
        {"label": "One more hour", "command": "jupyter-clouds:extend", "args": {"hours": 1}},
        {"do": "extend", "hours": 1},
    ),
)
"""Of notices that the machine is about to stop, and what the machine's watch hears."""


def answered(page: Page, lab: Lab, watch: Watch) -> None:
    """A click on each button is heard, and its notice goes."""
    for button, wish in BUTTONS:
        notice = IDLE | {"id": f"autostop-{button['label']}", "actions": [button]}
        assert ask(lab.door, "POST", "/notice", notice)[0] == 200
        toast = page.locator(TOAST)
        expect(toast).to_contain_text("At ")
        assert "{time}" not in toast.inner_text()
        name = button["label"].lower().replace(" ", "-")
        page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")
        toast.get_by_text(button["label"]).click()
        end = time.monotonic() + PATIENCE
        while wish not in watch.heard:
            assert time.monotonic() < end, watch.heard
            page.wait_for_timeout(100)
        ask(lab.door, "POST", "/notice", {"gone": "autostop-"})
        expect(toast).to_have_count(0)


def run(page: Page, number: int, shows: str) -> None:
    """The cell runs, and its output is seen."""
    page.locator(".jp-CodeCell .cm-content").nth(number).click()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f".jp-OutputArea >> text={shows}")


def test_cells_run_and_notices_are_answered_through_the_door_also_at_another_address_with_no_login(
    browser: BrowserContext, lab: Lab, link: str, road: Road, watch: Watch
) -> None:
    lab.write("door.ipynb", "x = 6 * 7; print(x)", "print(x + 1)")
    origin = link.partition("/open/")[0]
    page = browser.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    try:
        # From a file, as `open` starts it: the cookie has to pass from there too.
        handed = lab.folder / "open.html"
        handed.write_text(f'<meta http-equiv="refresh" content="0; url={link}">')
        page.goto(handed.as_uri())
        page.wait_for_url(f"{origin}/lab**", wait_until="commit")
        page.goto(f"{origin}/lab/workspaces/{time.monotonic_ns()}/tree/door.ipynb")
        page.wait_for_selector(r"#jp-main-statusbar >> text=/\| Idle/")
        run(page, 0, "42")
        SCREENSHOTS.mkdir(exist_ok=True)
        answered(page, lab, watch)
        # Of ours there is the door's cookie, and nothing else.
        names = {
            one["name"] for one in browser.cookies(origin) if one["name"].startswith("clouds-")
        }
        assert names == {f"clouds-door-{origin.rpartition(':')[2]}"}
        assert not errors
        # Whether something has to be built, no page asks.
        assert "Build is up to date" not in lab.log()

        road.close()
        run(page, 1, "43")
    finally:
        page.close()
