"""The notice that the machine is about to stop: one click, and the machine's watch hears of it."""

from __future__ import annotations

import json
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.doors import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.conftest import Lab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTICE = {"level": "warning", "yields": True, "time": "2026-11-23T10:11:12Z"}


class Watch(socketserver.UnixStreamServer):
    """As much of the machine's watch as Jupyter speaks to."""

    heard: list[dict[str, Any]]


class _Handler(socketserver.StreamRequestHandler):
    server: Watch

    def handle(self) -> None:
        self.server.heard.append(json.loads(self.rfile.readline()))
        self.wfile.write(b"{}")


@pytest.fixture
def watch(lab: Lab) -> Iterator[Watch]:
    path = lab.folder / "autostop.sock"
    with Watch(str(path), _Handler) as found:
        found.heard = []
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        found.shutdown()
    path.unlink()


@pytest.mark.parametrize(
    ("button", "wish"),
    [
        pytest.param(
            {"label": "Stay", "command": "jupyter-clouds:stay"}, {"do": "stay"}, id="stay"
        ),
        pytest.param(
            {"label": "One more hour", "command": "jupyter-clouds:extend", "args": {"hours": 1}},
            {"do": "extend", "hours": 1},
            id="one more hour",
        ),
    ],
)
def test_one_click_is_heard(
    lab: Lab,
    tab: Callable[..., Tab],
    watch: Watch,
    button: dict[str, Any],
    wish: dict[str, Any],
) -> None:
    lab.write("idle.ipynb", "x = 1")
    opened = tab("idle.ipynb")
    toasts = opened.page.locator(".Toastify__toast")
    text = "Nothing runs here and nobody types. At {time} everything is saved and this machine"
    notice = {"id": f"autostop-{button['label']}", "text": f"{text} stops.", "actions": [button]}
    assert ask(lab.door, "POST", "/notice", notice | NOTICE)[0] == 200
    opened.until(lambda: toasts.count() == 1)
    assert "{time}" not in toasts.inner_text()
    opened.screenshot(f"{button['label'].lower().replace(' ', '-')}")

    toasts.get_by_text(button["label"]).click()

    opened.until(lambda: wish in watch.heard)
    ask(lab.door, "POST", "/notice", {"gone": "autostop-"})
    opened.until(lambda: toasts.count() == 0)
    assert not opened.errors
