"""A real JupyterLab with the machine's own configuration, on loopback, and a real Chromium."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import sync_playwright

from tests.machine_tree import lay_out, tell_jupyter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import BrowserContext, Locator

SCREENSHOTS = Path(__file__).parent / "screenshots"
PASSWORD = "correct horse battery staple 9999"
PATIENCE = 240  # seconds; other tests may have the cores
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Lab:
    """A running server, its folder and its address."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    work: Path = field(init=False)
    jupyter: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.folder / "work"
        self.jupyter = lay_out(self.folder / "machine") / "jupyter"

    @property
    def door(self) -> Path:
        """Where root's programs ask."""
        return self.folder / "door.sock"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "state/tls/certificate.pem"

    def key_pin(self) -> str:
        """The key as Chromium's switch wants it: base64 of the SPKI's SHA-256."""
        found = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        spki = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "JUPYTER_CLOUDS_NOTEBOOK_JSON": str(self.folder / "notebook.json"),
            "JUPYTER_CLOUDS_STATUS_JSON": str(self.folder / "status.json"),
            "JUPYTER_CLOUDS_DOOR": str(self.door),
            "JUPYTER_CLOUDS_AUTOSTOP": str(self.folder / "autostop.sock"),
        }
        command = [sys.executable, "-m", "jupyterlab", "--config"]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                *command,
                str(self.jupyter / "jupyter_server_config.py"),
                "--allow-root",
                "--ServerApp.ip=127.0.0.1",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
        context = ssl.create_default_context(cafile=str(self.certificate))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
                connection.request("GET", "/login")
                assert connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
                time.sleep(0.2)
            else:
                return
        raise TimeoutError((self.folder / "log").read_text()[-3000:])

    def stop(self) -> None:
        """As systemd does it: SIGTERM, and patience."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def write(
        self, name: str, *sources: str, outputs: Sequence[object] = (), minor: int = 5
    ) -> None:
        """A notebook with these cells; the first shows `outputs`, which nobody has signed."""
        cells: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [] if number else list(outputs),
                "execution_count": None,
                "source": source,
            }
            for number, source in enumerate(sources)
        ]
        for cell in cells if minor < 5 else ():
            # Ids came with 4.5.
            del cell["id"]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
        text = json.dumps(notebook | {"nbformat": 4, "nbformat_minor": minor})
        (self.work / name).write_text(text)

    def read(self, name: str, cell: int = 0) -> str:
        """What the file has of a cell's output: its texts, and the plain form of the rest."""
        # Jupyter writes in place: a reader beside it may come in the middle.
        for _ in range(50):
            with suppress(json.JSONDecodeError):
                found = json.loads((self.work / name).read_text())["cells"][cell]["outputs"]
                parts = [one.get("text") or one["data"].get("text/plain", "") for one in found]
                return "".join("".join(part) for part in parts)
            time.sleep(0.05)
        raise AssertionError(f"{name} is no notebook: {(self.work / name).read_bytes()[:200]!r}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def make_certificate(folder: Path) -> None:
    folder.mkdir(parents=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=notebook"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab(tmp_path_factory.mktemp("lab"), free_port())
    found.work.mkdir()
    make_certificate(found.folder / "state/tls")
    state = found.folder / "state"
    tell_jupyter(found.folder, found.port, PASSWORD, work=found.work, state=state)
    phases = {"server": {"state": "done", "seconds": 12.3, "error": None}}
    (found.folder / "status.json").write_text(json.dumps({"phases": phases}))
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Chromium that trusts the server's key alone, logged in."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "no Chromium: make setup"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=executable,
            args=[*CHROMIUM, f"--ignore-certificate-errors-spki-list={lab.key_pin()}"],
            viewport={"width": 1280, "height": 860},
        )
        page = context.new_page()
        page.goto(f"{lab.url}/login")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url("**/lab**", wait_until="commit")
        page.close()
        yield context
        context.close()


class Tab:
    """A notebook open in the browser."""

    place = "lab/workspaces/{}/tree"
    connected = r"#jp-main-statusbar >> text=/\| (Idle|Busy)/"
    """Where the kernel's state stands, once the tab has heard of it."""

    def __init__(
        self, context: BrowserContext, lab: Lab, name: str, *, busy: bool = False, script: str = ""
    ) -> None:
        self.page = context.new_page()
        self.page.add_init_script(script)
        self.errors: list[str] = []
        self.said: list[str] = []
        self.stacks: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("pageerror", lambda error: self.stacks.append(error.stack or ""))
        self.page.on("console", lambda line: self.said.append(f"{line.type}: {line.text}"))
        # A workspace of its own: the default one opens again what was open last.
        self.page.goto(f"{lab.url}/{self.place.format(time.monotonic_ns())}/{name}")
        # The kernel answers a new tab only once its cell has ended.
        shown = ".jp-CodeCell" if busy else self.connected
        try:
            self.page.wait_for_selector(shown, timeout=PATIENCE * 1000)
        except PlaywrightTimeoutError as error:
            raise AssertionError(self.story(lab)) from error

    def story(self, lab: Lab) -> str:
        """What the page shows, what went wrong in it, and what the server said last."""
        said = "\n".join([*self.errors, *self.said][-12:])
        parts = (self.page.locator("body").inner_text()[:1500], said, lab.log())
        return "\n---\n".join(part[-4000:] for part in parts)

    def cell(self, number: int = 0) -> Locator:
        return self.page.locator(".jp-CodeCell").nth(number)

    def run(self, number: int = 0) -> None:
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def output(self, number: int = 0) -> str:
        # The first: an Output widget has an area of its own inside. tqdm pads with wide spaces.
        text = self.cell(number).locator(".jp-OutputArea").first.inner_text()
        return text.replace("\u2007", " ")

    def prompt(self, number: int = 0) -> str:
        return self.cell(number).locator(".jp-InputPrompt").inner_text()

    def dialogs(self) -> int:
        return self.page.locator(".jp-Dialog").count()

    def wait(self, seconds: float) -> None:
        self.page.wait_for_timeout(seconds * 1000)

    def until(self, done: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """`done` is true; AssertionError with the page's text otherwise."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, self.page.locator(".jp-Notebook").inner_text()
            self.wait(0.2)

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def close(self) -> None:
        """As a closed laptop or a crash: nobody asks whether to leave."""
        self.page.close(run_before_unload=False)


@pytest.fixture
def tab(browser: BrowserContext, lab: Lab) -> Iterator[Callable[..., Tab]]:
    """Opens notebooks, and closes those that are open at the end."""
    tabs: list[Tab] = []

    def opened(name: str, *, busy: bool = False, script: str = "") -> Tab:
        tabs.append(Tab(browser, lab, name, busy=busy, script=script))
        return tabs[-1]

    yield opened
    for one in tabs:
        one.close()
