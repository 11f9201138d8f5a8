"""JupyterLab through the local door of `open`: no login, no warning, a cell runs."""

from __future__ import annotations

import asyncio
import contextlib
import queue
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


def upstream(lab: Lab) -> Upstream:
    pem = lab.certificate.read_text()
    found = fingerprints(ssl.PEM_cert_to_DER_cert(pem))
    pin = Pin(pem, found.certificate_sha256, found.key_sha256)
    with Notebook(lab.url, pin, PASSWORD) as notebook:
        notebook.login()
        return Upstream("127.0.0.1", lab.port, trust_only(pem), notebook.cookies)


@pytest.fixture
def link(lab: Lab) -> Iterator[str]:
    """The door's, open for as long as the test."""
    heard: queue.Queue[str] = queue.Queue()
    running: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = queue.Queue()
    first = upstream(lab)

    def told(url: str, port: int, *, first: bool, token: str) -> None:
        del port, first, token
        heard.put(url)

    async def main() -> None:
        task = asyncio.create_task(_serve("browser", first, lambda: upstream(lab), told, None))
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


def test_a_cell_runs_and_a_notice_is_seen_through_the_door_and_no_login_was_asked(
    browser: BrowserContext, lab: Lab, link: str
) -> None:
    lab.write("door.ipynb", "print(6 * 7)")
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
    finally:
        page.close()
