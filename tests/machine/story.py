"""docs/tutorial.md, typed: all of its blocks in order, as somebody at this computer would."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import PATIENCE
from tests.machine import pages
from tests.machine.typed import ROOT, UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.pages import Browser

PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(\w*)\n(.+?)^```$", re.MULTILINE | re.DOTALL)
OPENS = "python -m wrapper open\n"
# What `open` hands a browser is a page that leads to the door.
LINK = re.compile(r"url=([^\"]+)")


class Story:
    """The page's blocks, typed one after the other in a folder of the name that it gives."""

    def __init__(self, folder: Path, name: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.left = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
        assert {kind for kind, _ in self.left} == {"sh"}, "what is no `sh` nobody would type"
        for path in (ROOT / "docs/tutorial").iterdir():
            shutil.copy(path, folder)
        browser = folder.parent / "browser"
        browser.write_text('#!/bin/sh\ncp "${1#file://}" "$0.part" && mv "$0.part" "$0.page"\n')
        browser.chmod(0o755)
        self.shown = folder.parent / "browser.page"
        self.environment = {
            **environment,
            "BROWSER": f"{browser} %s",
            "GIT_AUTHOR_NAME": "me",
            "GIT_AUTHOR_EMAIL": "me@example.org",
            "GIT_COMMITTER_NAME": "me",
            "GIT_COMMITTER_EMAIL": "me@example.org",
            "HOME": str(folder.parent),
            "JUPYTER_CLOUDS_NAME": name,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def type_to(self, last: str, *, answers: str = "") -> str:
        """What the blocks print, up to the one that has this line; asked, somebody answers."""
        printed = []
        while True:
            _, block = self.left.pop(0)
            assert block != OPENS, "that goes on until Ctrl-C"
            printed.append(self._typed(block, answers))
            if last in block.splitlines():
                return "".join(printed)

    def _typed(self, block: str, answers: str) -> str:
        keyboard, terminal = pty.openpty()
        try:
            os.write(keyboard, answers.encode())
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                check=False,
                cwd=self.folder,
                env=self.environment,
                stdin=terminal,
                capture_output=True,
                text=True,
                timeout=UP_SECONDS,
            )
        finally:
            os.close(keyboard)
            os.close(terminal)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def open(self) -> Iterator[str]:
        """The address that the browser is sent to, by the block that does so, until Ctrl-C."""
        assert self.left.pop(0)[1] == OPENS
        with subprocess.Popen(
            OPENS.split(),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as door:
            try:
                ends = time.monotonic() + PATIENCE
                while not self.shown.exists():
                    assert door.poll() is None, door.communicate()[1]
                    assert time.monotonic() < ends, "no browser was started"
                    time.sleep(0.2)
                (link,) = LINK.findall(self.shown.read_text())
                yield link
            finally:
                door.terminate()


@contextmanager
def opened(name: str, environment: dict[str, str]) -> Iterator[str]:
    """The link that `open` prints, good until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "wrapper", "open", name, "--no-browser", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as door:
        try:
            line = door.stdout.readline() if door.stdout else ""
            assert line, door.communicate()[1]
            yield json.loads(line)["url"]
        finally:
            door.terminate()


def illustrate(browser: Browser, url: str, link: str, executed: str) -> None:
    """The tutorial's pictures: the machine's login, what came by `up --sync`, and the result."""
    page = browser.page()
    page.set_viewport_size({"width": 1280, "height": 320})
    page.goto(url)
    page.wait_for_selector("input[name=password]")
    pages.picture(page, "tutorial-login")
    # Cells below what is seen are not drawn.
    page.set_viewport_size({"width": 1280, "height": 1230})
    lab = f"{pages.let_in(page, link)}/lab/workspaces"
    for name, path, trips in (
        ("tutorial-sample", "trips/analysis.ipynb", "1,000 trips"),
        ("tutorial", executed, "500,000 trips"),
    ):
        page.goto(f"{lab}/{name}/tree/{path}")
        page.wait_for_selector(f".jp-OutputArea >> text={trips}")
        page.wait_for_selector(".jp-OutputArea img")
        page.wait_for_selector(pages.IDLE)
        pages.picture(page, name)
