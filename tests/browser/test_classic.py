"""Notebook 7's interface, one notebook a tab: what JupyterLab's tests show there holds here too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PATIENCE, Tab
from tests.browser.test_notice import NOTICE
from tests.unit.doors import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = """import time
for i in range(30):
    print(i, flush=True)
    time.sleep(0.3)"""
WIDGET = """import ipywidgets
slider = ipywidgets.IntSlider(7, description="shown as")
slider"""


class Classic(Tab):
    """A notebook open in Notebook 7."""

    place = "notebooks"
    connected = ".jp-Notebook-ExecutionIndicator >> visible=true"

    def __init__(self, context: BrowserContext, lab: Lab, name: str) -> None:
        super().__init__(context, lab, name)
        # Before it has a kernel, it shows one that is idle.
        self.until(lambda: any("Starting WebSocket" in line for line in self.said))
        state = self.page.locator(".jp-Notebook-ExecutionIndicator")
        self.until(lambda: state.get_attribute("data-status") in {"idle", "busy"})

    def own_errors(self) -> list[str]:
        """Notebook 7.6.5 throws some of its own at every start, without anything of ours too."""
        return [one for one in self.stacks if "jupyter-clouds" in one]


@pytest.fixture
def classic(browser: BrowserContext, lab: Lab) -> Iterator[Callable[[str], Classic]]:
    """Opens notebooks in Notebook 7."""
    tabs: list[Classic] = []

    def opened(name: str) -> Classic:
        tabs.append(Classic(browser, lab, name))
        return tabs[-1]

    yield opened
    for one in tabs:
        one.close()


def test_what_a_cell_prints_is_in_the_file_and_shown_to_whoever_comes_back(
    lab: Lab, classic: Callable[[str], Classic]
) -> None:
    lab.write("classic.ipynb", COUNT)
    opened = classic("classic.ipynb")
    opened.run()
    # Its own autosave would come after two minutes.
    opened.until(lambda: "0\n" in lab.read("classic.ipynb"))
    assert "29" not in lab.read("classic.ipynb")
    opened.close()
    closed = lab.read("classic.ipynb")
    until(lambda: "29" in lab.read("classic.ipynb"))
    assert lab.read("classic.ipynb").split() == [str(number) for number in range(30)]
    assert len(closed) < len(lab.read("classic.ipynb"))
    again = classic("classic.ipynb")
    again.until(lambda: again.output().split() == [str(number) for number in range(30)])
    again.screenshot("classic")
    assert again.own_errors() == []


def test_a_widget_is_shown_and_a_notice_too(lab: Lab, classic: Callable[[str], Classic]) -> None:
    lab.write("widget.ipynb", WIDGET)
    opened = classic("widget.ipynb")
    opened.run()
    opened.page.wait_for_selector(".jp-OutputArea .widget-slider", timeout=PATIENCE * 1000)
    assert ask(lab.door, "POST", "/notice", NOTICE)[0] == 200
    opened.until(lambda: opened.page.locator(".Toastify__toast").count() == 1)
    # What was typed is saved when the machine asks.
    opened.cell().locator(".cm-content").click()
    opened.page.keyboard.press("Control+End")
    opened.page.keyboard.type("  # typed")
    ask(lab.door, "POST", "/save", {"seconds": 30})
    assert "# typed" in (lab.work / "widget.ipynb").read_text()
    ask(lab.door, "POST", "/notice", {})
    assert opened.own_errors() == []


def until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.2)
