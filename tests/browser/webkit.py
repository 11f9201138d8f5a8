"""WebKit, Safari's engine, at a JupyterLab: by the door, and at its own address.

By hand: `make webkit`, with Debian's `webkit2gtk-driver` and `xvfb`. What is under the engine is
not Safari's: connections, certificates and cookies are libsoup's. https://www.w3.org/TR/webdriver2/
"""

from __future__ import annotations

import base64
import os
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import PASSWORD, PATIENCE, SCREENSHOTS, free_port
from tests.browser.test_open import link, road

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.conftest import Lab

__all__ = ["link", "road"]  # fixtures, for pytest to find here

BROWSERS = "*/webkit2gtk-4.*/MiniBrowser"
SHIFT, ENTER = "\ue008", "\ue007"
SHOWN = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText).join(' ')"


class WebKit:
    """One window of it."""

    def __init__(self, port: int, certificate: str) -> None:
        self._at = f"http://127.0.0.1:{port}/session"
        # As after the warning was clicked away: this certificate for this host, and no other.
        known = [{"host": "127.0.0.1", "certificateFile": certificate}]
        browser = {"binary": str(min(Path("/usr/lib").glob(BROWSERS))), "args": ["--automation"]}
        asked = {"webkitgtk:browserOptions": {**browser, "certificates": known}}
        until(lambda: requests.get(f"http://127.0.0.1:{port}/status", timeout=5).ok)
        made = self._ask("", {"capabilities": {"alwaysMatch": asked}})
        self._at += f"/{made['sessionId']}"

    def _ask(self, what: str, body: dict[str, Any] | None = None) -> Any:
        method = "GET" if body is None else "POST"
        answer = requests.request(method, self._at + what, json=body, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()["value"]

    def close(self) -> None:
        requests.delete(self._at, timeout=PATIENCE)

    def open(self, url: str) -> None:
        self._ask("/url", {"url": url})

    def shown(self, selector: str) -> str:
        """The text of all that it finds."""
        return str(self._ask("/execute/sync", {"script": SHOWN, "args": [selector]}))

    def type(self, selector: str, text: str) -> None:
        found = self._ask("/element", {"using": "css selector", "value": selector})
        (name,) = found.values()
        self._ask(f"/element/{name}/value", {"text": text})

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(self._ask("/screenshot")))


def until(look: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with suppress(requests.ConnectionError, AssertionError):
            if look():
                return
        time.sleep(0.3)
    raise TimeoutError


@pytest.fixture
def webkit(lab: Lab) -> Iterator[WebKit]:
    port, words = free_port(), ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24"]
    with ExitStack() as stack:
        screen = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        stack.callback(screen.terminate)
        shown = {**os.environ, "DISPLAY": f":{screen.stdout.readline().strip()}"}  # type: ignore[union-attr] # a pipe
        words = ["WebKitWebDriver", f"--port={port}"]
        driver = stack.enter_context(subprocess.Popen(words, env=shown))
        stack.callback(driver.terminate)
        made = WebKit(port, str(lab.certificate))
        stack.callback(made.close)
        yield made


def runs(webkit: WebKit, lab: Lab, origin: str, name: str) -> None:
    lab.write(f"{name}.ipynb", "x = 6 * 7; print(x)")
    webkit.open(f"{origin}/lab/workspaces/{name}/tree/{name}.ipynb")
    try:
        until(lambda: "| Idle" in webkit.shown("#jp-main-statusbar"))
        webkit.type(".jp-CodeCell .cm-content", SHIFT + ENTER)
        until(lambda: "42" in webkit.shown(".jp-OutputArea"))
    finally:
        webkit.picture(name)


def test_a_cell_runs_through_the_door(webkit: WebKit, lab: Lab, link: str) -> None:
    # From a file, as `open` starts it.
    handed = lab.folder / "webkit.html"
    handed.write_text(f'<meta http-equiv="refresh" content="0; url={link}">')
    webkit.open(handed.as_uri())
    until(lambda: "File" in webkit.shown(".lm-MenuBar"))
    runs(webkit, lab, link.partition("/open/")[0], "webkit-door")


def test_a_cell_runs_at_its_own_address(webkit: WebKit, lab: Lab) -> None:
    webkit.open(f"{lab.url}/login")
    webkit.type("input[name=password]", PASSWORD + ENTER)
    until(lambda: "File" in webkit.shown(".lm-MenuBar"))
    runs(webkit, lab, lab.url, "webkit-direct")
