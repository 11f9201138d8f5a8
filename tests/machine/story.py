"""docs/tutorial.md, typed: its `sh` blocks in order, as somebody at this computer would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, PATIENCE, SCREENSHOTS
from tests.machine.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```sh\n(.+?)^```$", re.MULTILINE | re.DOTALL)


def typed(folder: Path, name: str, environment: dict[str, str]) -> str:
    """Everything that the blocks print; the deployment is known by the environment."""
    for path in (ROOT / "docs/tutorial").iterdir():
        shutil.copy(path, folder)
    known = {
        **environment,
        "GIT_AUTHOR_NAME": "me",
        "GIT_AUTHOR_EMAIL": "me@example.org",
        "GIT_COMMITTER_NAME": "me",
        "GIT_COMMITTER_EMAIL": "me@example.org",
        "HOME": str(folder.parent),
        "JUPYTER_CLOUDS_NAME": name,
        "MPLBACKEND": "agg",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    printed = []
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            check=False,
            cwd=folder,
            env=known,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    return "".join(printed)


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


def shown(link: str, path: str, expected: str) -> None:
    """The notebook is open in a browser at the door, that output in it; a picture of it is kept."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "no Chromium: make setup"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 1180})
        page.goto(link)
        page.wait_for_url("**/lab**", timeout=PATIENCE * 1000)
        origin = "/".join(page.url.split("/")[:3])
        page.goto(f"{origin}/lab/workspaces/story/tree/{path}")
        page.wait_for_selector(f"text={expected}", timeout=PATIENCE * 1000)
        page.wait_for_selector(".jp-OutputArea img", timeout=PATIENCE * 1000)
        page.wait_for_timeout(1500)
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "tutorial.png")
        browser.close()
