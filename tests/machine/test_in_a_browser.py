"""A machine's notebook in Chromium, as people see it: over pinned TLS, and through the local door.

Pictures of it are left in tests/browser/screenshots.
"""

from __future__ import annotations

import base64
import re
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
import websocket
from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import CHROMIUM, PATIENCE, SCREENSHOTS
from tests.machine import story
from tests.machine.conftest import document, wrapper
from tests.unit.test_carrier_programs import printed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.machine.conftest import Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PLOT = "import matplotlib.pyplot as plt; plt.plot([3, 1, 2]); plt.show()"
LONG = "import time\nfor n in range(40):\n    print('line', n, flush=True); time.sleep(0.2)"
IDLE = r"#jp-main-statusbar >> text=/\| Idle/"


@contextmanager
def chromium(folder: Path, key_sha256: str | None = None) -> Iterator[BrowserContext]:
    """A browser that trusts that key beside its own authorities."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "no Chromium: make setup"
    pins = []
    if key_sha256:
        digest = base64.b64encode(bytes.fromhex(key_sha256.replace(":", ""))).decode()
        pins = [f"--ignore-certificate-errors-spki-list={digest}"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder),
            executable_path=executable,
            args=[*CHROMIUM, *pins],
            viewport={"width": 1280, "height": 860},
        )
        context.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        yield context
        context.close()


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"machine-{name}.png")


def log_in(page: Page, live: Live) -> None:
    """A wrong password is refused in words, the right one opens JupyterLab."""
    page.goto(live.url)
    picture(page, "login")
    page.fill("input[name=password]", "not the password")
    page.click("button[type=submit]")
    expect(page.locator("body")).to_contain_text(re.compile("invalid|wrong|again", re.IGNORECASE))
    picture(page, "wrong-password")
    end = time.monotonic() + PATIENCE
    while "/lab" not in page.url:
        assert time.monotonic() < end, page.locator("body").inner_text()
        page.goto(f"{live.url}login")
        page.fill("input[name=password]", live.password)
        page.click("button[type=submit]")
        page.wait_for_load_state()
        page.wait_for_timeout(500)
    page.wait_for_selector(".jp-Launcher")


def run(page: Page, code: str) -> None:
    """In the last cell of the notebook, which another one follows."""
    page.locator(".jp-CodeCell .cm-content").last.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")


def new_notebook(page: Page) -> str:
    """One is made from the launcher; its name."""
    page.locator(".jp-LauncherCard[title^='Python 3']").first.click()
    page.wait_for_selector(IDLE)
    title = page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabLabel", has_text=".ipynb")
    return title.first.inner_text()


def wait_for_packages(live: Live) -> None:
    with live.logged_in() as notebook:
        end = time.monotonic() + PATIENCE
        while True:
            phase = notebook.clouds_status().phases.get("environment")
            if phase and phase.state == "done":
                return
            assert time.monotonic() < end
            time.sleep(1)


def test_a_day_in_the_browser(live: Live, tmp_path: Path) -> None:
    wait_for_packages(live)
    errors: list[str] = []
    with chromium(tmp_path / "profile", live.key_sha256) as browser:
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
        log_in(page, live)
        # What a refused password said, Chromium counts as an error.
        errors.clear()
        name = new_notebook(page)
        run(page, PLOT)
        page.wait_for_selector(".jp-OutputArea img")
        expect(page.locator("#jp-main-statusbar")).to_contain_text("Mem")
        picture(page, "plot")

        run(page, LONG)
        page.wait_for_selector(".jp-OutputArea >> text=line 3")
        page.keyboard.press("Control+s")
        page.close()
        time.sleep(10)
        page = browser.new_page()
        page.goto(f"{live.url}lab/workspaces/return/tree/{name}")
        page.wait_for_selector(".jp-OutputArea >> text=line 39")
        picture(page, "return")
        page.locator("[data-id=jp-git-sessions]").click()
        page.wait_for_selector("#jp-git-sessions")
        picture(page, "git")
        if live.own:
            (tmp_path / "trips.csv").write_text("hour,speed\n8,12.5\n")
            push = ("push", str(tmp_path / "trips.csv"), "--name", live.name, "--json")
            document(wrapper(*push, environment=live.environment))
            page.locator("[data-id=filebrowser]").click()
            page.wait_for_selector(".jp-DirListing-item >> text=trips.csv")
            picture(page, "files")
    assert not errors, errors


def test_the_same_through_the_local_door(live: Live, tmp_path: Path) -> None:
    if not live.own:
        pytest.skip("needs a deployment of this computer")
    wait_for_packages(live)
    errors: list[str] = []
    with chromium(tmp_path) as browser, story.opened(live.name, live.environment) as link:
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(link)
        page.wait_for_url("**/lab**")
        # The default workspace opens again what was open last, and no launcher.
        page.goto(f"{page.url.partition('/lab')[0]}/lab/workspaces/door")
        new_notebook(page)
        run(page, PLOT)
        page.wait_for_selector(".jp-OutputArea img")
        picture(page, "door")
    assert not errors, errors


def test_a_door_outlasts_a_stop_and_a_start(live: Live) -> None:
    if not live.own:
        pytest.skip("needs a deployment of this computer")
    wait_for_packages(live)
    known: Any = {"environment": live.environment}
    opened = ("open", live.name, "--background", "--no-browser", "--json")
    door = document(wrapper(*opened, **known))
    try:
        assert computed(door) == "42\n"
        document(wrapper("stop", live.name, "--yes", "--json", **known))
        resting = requests.get(
            f"http://127.0.0.1:{door['port']}/lab", headers=let_in(door), timeout=60
        )
        assert resting.status_code == 503
        assert f"start {live.name}" in resting.text
        document(wrapper("start", live.name, "--json", **known))
        assert computed(door) == "42\n"
        assert document(wrapper(*opened, **known))["pid"] == door["pid"], "it is the same door"
    finally:
        wrapper("open", live.name, "--stop", **known)


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
