"""Chromium on this computer, at a machine's notebook; pictures go to tests/browser/screenshots."""

from __future__ import annotations

import base64
import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import CHROMIUM, PATIENCE, SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

    from tests.machine.live import Live

FOLDER = "JUPYTER_CLOUDS_PICTURES"
"""The variable that names another folder for pictures, such as docs/images."""
IDLE = r"#jp-main-statusbar >> text=/\| Idle/"
TOASTS = ".Toastify__toast"


class Browser:
    """Chromium, and all that went wrong in any of its pages since the last look."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.errors: list[str] = []
        # Of the whole context: a page that is opened later is heard from its first line on.
        context.on("weberror", lambda one: self.errors.append(str(one.error)))
        context.on(
            "console",
            lambda one: (
                self.errors.append(f"{one.text} {one.location}") if one.type == "error" else None
            ),
        )

    def page(self) -> Page:
        """A new tab."""
        return self.context.new_page()

    def log_in(self, page: Page, live: Live, *, wrong: bool = False, to: str = "lab") -> None:
        """That is open in the page; with `wrong`, another password was refused before."""
        page.goto(live.url)
        if wrong:
            picture(page, "machine-login")
            page.fill("input[name=password]", "not the password")
            page.click("button[type=submit]")
            refused = re.compile("invalid|wrong|again", re.IGNORECASE)
            expect(page.locator("body")).to_contain_text(refused)
            picture(page, "machine-wrong-password")
        end = time.monotonic() + PATIENCE
        while "/lab" not in page.url:
            assert time.monotonic() < end, page.locator("body").inner_text()
            page.goto(f"{live.url}login?next=/{to}")
            page.fill("input[name=password]", live.password)
            # What a refused password said, Chromium counts as an error; nothing of JupyterLab's.
            self.errors.clear()
            page.click("button[type=submit]")
            page.wait_for_load_state()
            page.wait_for_timeout(500)


@contextmanager
def chromium(folder: Path, key_sha256: str | None = None) -> Iterator[Browser]:
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
        yield Browser(context)
        context.close()


def let_in(page: Page, link: str) -> str:
    """The door knows the browser from now on; its address. Of JupyterLab nothing was run."""
    page.goto(link, wait_until="commit")
    page.wait_for_url("**/lab**", wait_until="commit")
    return page.url.partition("/lab")[0]


def picture(page: Page, name: str) -> None:
    """It is kept, with what had begun to move in at its place."""
    page.wait_for_timeout(700)
    folder = Path(os.environ.get(FOLDER, SCREENSHOTS))
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


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
