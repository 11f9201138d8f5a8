"""A day at a machine's notebook in Chromium: over pinned TLS, and through the local door.

Pictures of it are left in tests/browser/screenshots.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
import websocket
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE
from tests.machine import pages, story
from tests.machine.live import answering, is_done
from tests.machine.reach import until
from tests.machine.typed import ROOT, document, wrapper
from tests.unit.test_carrier_programs import printed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.machine.live import Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PLOT = "import matplotlib.pyplot as plt; plt.plot([3, 1, 2]); plt.show()"
LONG = "import time\nfor n in range(20):\n    print('line', n, flush=True); time.sleep(0.2)"
LONG_SECONDS = 4
TYPED = "# typed, and saved by nobody"


@dataclass
class Way:
    """How somebody comes to the notebook."""

    name: str
    browser: pages.Browser
    page: Page
    """JupyterLab, just opened."""
    lab: str
    """Its address."""

    def picture(self, name: str) -> None:
        pages.picture(self.page, f"machine-{name}-{self.name}")


def wait_for_packages(live: Live) -> None:
    with live.logged_in() as notebook:
        until(lambda: is_done(notebook, "environment"), seconds=PATIENCE)


@pytest.fixture(params=["tls", "door"])
def way(request: pytest.FixtureRequest, live: Live, tmp_path: Path) -> Iterator[Way]:
    name = request.param
    if name == "door" and not live.own:
        pytest.skip("needs a deployment of this computer")
    wait_for_packages(live)
    with ExitStack() as stack:
        pin = live.key_sha256 if name == "tls" else None
        browser = stack.enter_context(pages.chromium(tmp_path / "profile", pin))
        page = browser.page()
        # The default workspace opens again what was open last, and no launcher.
        to = f"lab/workspaces/{name}"
        if name == "tls":
            browser.log_in(page, live, wrong=True, to=to)
        else:
            link = stack.enter_context(story.opened(live.name, live.environment))
            page.goto(f"{pages.let_in(page, link)}/{to}")
        yield Way(name, browser, page, f"{page.url.partition('/lab')[0]}/lab")


def test_a_day_in_the_browser(way: Way, live: Live, tmp_path: Path) -> None:
    name = pages.new_notebook(way.page)
    pages.run(way.page, PLOT)
    way.page.wait_for_selector(".jp-OutputArea img")
    expect(way.page.locator("#jp-main-statusbar")).to_contain_text("Mem")
    way.picture("plot")

    pages.run(way.page, LONG)
    way.page.wait_for_selector(".jp-OutputArea >> text=line 3")
    way.page.keyboard.press("Control+s")
    way.page.close()
    time.sleep(LONG_SECONDS)
    way.page = way.browser.page()
    way.page.goto(f"{way.lab}/workspaces/return-{way.name}/tree/{name}")
    way.page.wait_for_selector(".jp-OutputArea >> text=line 19")
    way.picture("return")

    way.page.locator("[data-id=jp-git-sessions]").click()
    way.page.wait_for_selector("#jp-git-sessions")
    way.picture("git")
    if live.own:
        folder = tmp_path / f"trips-{way.name}"
        folder.mkdir()
        (folder / "trips.csv").write_text("hour,speed\n8,12.5\n")
        synced = ("sync", str(folder), "--name", live.name, "--json")
        document(wrapper(*synced, environment=live.environment))
        way.page.locator("[data-id=filebrowser]").click()
        way.page.locator(f".jp-DirListing-item >> text={folder.name}").dblclick()
        way.page.wait_for_selector(".jp-DirListing-item >> text=trips.csv")
        way.picture("files")
    assert way.browser.errors == []


def save_by_itself(live: Live, *, wanted: bool) -> None:
    """What a JupyterLab does that is opened from now on."""
    path = "/lab/api/settings/@jupyterlab/docmanager-extension:plugin"
    with live.logged_in() as notebook:
        notebook.call("PUT", path, {"raw": "{}" if wanted else '{"autosave": false}'})


def typed(page: Page, link: str) -> str:
    """Into a new notebook, and left there; its name."""
    page.goto(f"{pages.let_in(page, link)}/lab/workspaces/stop")
    name = pages.new_notebook(page)
    page.locator(".jp-CodeCell .cm-content").last.click()
    page.keyboard.insert_text(TYPED)
    return name


@contextmanager
def watching(live: Live, folder: Path) -> Iterator[Path]:
    """A `sync --watch` of the folder; the file has what it says."""
    said = folder.with_suffix(".said")
    command = [sys.executable, "-m", "wrapper", "sync", str(folder), "--watch", "--name", live.name]
    with (
        said.open("w") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=live.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as child,
    ):
        try:
            yield said
        finally:
            child.send_signal(signal.SIGINT)


def goes_both_ways(live: Live, folder: Path, name: str) -> None:
    """What is written at either end is at the other."""
    (folder / f"{name}.here").write_text(name)
    file = {"type": "file", "format": "text", "content": name}
    with live.logged_in() as there:
        at = f"/api/contents/{folder.name}/{name}"
        answering(lambda: there.call("GET", f"{at}.here"), within=PATIENCE)
        there.call("PUT", f"{at}.there", file)
    until((folder / f"{name}.there").exists, "it does not come", seconds=PATIENCE)


def test_what_goes_on_here_outlasts_a_stop_and_a_start(live: Live, tmp_path: Path) -> None:
    """A door, a watched folder, and what is typed in a tab."""
    if not live.own:
        pytest.skip("needs a deployment of this computer")
    wait_for_packages(live)
    known: Any = {"environment": live.environment}
    opened = ("open", live.name, "--background", "--no-browser", "--json")
    door = document(wrapper(*opened, **known))
    folder = tmp_path / "watched"
    folder.mkdir()
    try:
        with watching(live, folder) as said:
            assert computed(door) == "42\n"
            goes_both_ways(live, folder, "before")
            save_by_itself(live, wanted=False)
            with pages.chromium(tmp_path / "profile") as browser:
                name = typed(browser.page(), door["url"])
                document(wrapper("stop", live.name, "--yes", "--json", **known))
            rests(live, door)
            document(wrapper("start", live.name, "--json", **known))
            assert computed(door) == "42\n"
            assert document(wrapper(*opened, **known))["pid"] == door["pid"], "it is the same door"
            save_by_itself(live, wanted=True)
            with live.logged_in() as notebook:
                cells = notebook.call("GET", f"/api/contents/{name}?content=1")["content"]["cells"]
            assert TYPED in cells[0]["source"], "the stop has asked the tab"
            goes_both_ways(live, folder, "after")
        assert "The machine is reached again" in said.read_text()
    finally:
        wrapper("open", live.name, "--stop", **known)


def rests(live: Live, door: dict[str, Any]) -> None:
    """The door says so, and what starts the machine."""
    address = f"http://127.0.0.1:{door['port']}/lab"
    answer = requests.get(address, headers=let_in(door), timeout=60)
    assert answer.status_code == 503
    assert f"start {live.name}" in answer.text


def let_in(door: dict[str, Any]) -> dict[str, str]:
    """What an editor sends."""
    return {"Authorization": f"token {door['token']}"}


def computed(door: dict[str, Any]) -> str:
    """What a fresh kernel behind the door prints."""
    at = f"127.0.0.1:{door['port']}/api/kernels"
    end = time.monotonic() + PATIENCE
    while True:
        made = requests.post(f"http://{at}", json={}, headers=let_in(door), timeout=60)
        if made.status_code == 201:
            break
        assert time.monotonic() < end, made.text
        time.sleep(1)
    kernel = made.json()["id"]
    line = websocket.create_connection(
        f"ws://{at}/{kernel}/channels", header=let_in(door), timeout=60
    )
    try:
        return printed(line, "print(6 * 7)")
    finally:
        line.close()
        requests.delete(f"http://{at}/{kernel}", headers=let_in(door), timeout=60)
