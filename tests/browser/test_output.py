"""What a cell prints is in the notebook file within five seconds, whoever looks."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Lab, Tab

    Open = Callable[..., Tab]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LATEST = 5
"""Seconds after which an output has to be in the file."""


def clock(lines: int) -> str:
    """A cell that prints its line numbers and the time, three times a second."""
    loop = f"for i in range({lines}):\n    print(i, time.time(), flush=True)\n    time.sleep(0.3)"
    return f"import time\n{loop}"


def oldest_missing(lab: Lab, name: str, *, begun: float) -> float:
    """Seconds for which the file has lacked a line."""
    lines = lab.read(name).split("\n")
    # The line after the last one there was printed 0.3 s later.
    last = float(lines[-2].split()[1]) + 0.3 if len(lines) > 1 else begun
    return time.time() - last


def numbers(text: str) -> list[int]:
    return [int(line.split()[0]) for line in text.split("\n") if line.strip()]


def nearly_always(late: list[float]) -> float:
    """What nine looks of ten stay below: for a moment, others may have both cores."""
    return sorted(late)[len(late) * 9 // 10]


class Abandoned:
    """A cell that runs without a tab since `closed`, for longer than a minute."""

    def __init__(self, lab: Lab, browser: BrowserContext) -> None:
        from tests.browser.conftest import Tab  # noqa: PLC0415  (pytest's own import of it comes first)

        self.name = "abandoned.ipynb"
        self.lines = 280
        lab.write(self.name, clock(self.lines))
        tab = Tab(browser, lab, self.name)
        tab.run()
        tab.until(lambda: "0" in tab.output())
        tab.close()
        self.closed = time.monotonic()


@pytest.fixture(scope="module", autouse=True)
def abandoned(lab: Lab, browser: BrowserContext) -> Abandoned:
    """Its minute passes while the other tests run."""
    return Abandoned(lab, browser)


def test_output_is_in_the_file_within_five_seconds_with_the_tab_open(lab: Lab, tab: Open) -> None:
    lab.write("open.ipynb", clock(45))
    opened = tab("open.ipynb")
    begun = time.time() + 1
    opened.run()
    late = []
    while time.time() < begun + 12:
        opened.wait(0.3)
        late.append(oldest_missing(lab, "open.ipynb", begun=begun))
    assert nearly_always(late) < LATEST
    assert opened.dialogs() == 0
    assert not opened.errors


def test_output_goes_on_into_the_file_and_into_the_next_tab(lab: Lab, tab: Open) -> None:
    # It prints until it is told to stop: however slowly the second tab opens, the cell still runs.
    until = clock(10_000).replace("    print", "    if os.path.exists('stop'): break\n    print")
    lab.write("closed.ipynb", f"import os\n{until}")
    first = tab("closed.ipynb")
    first.run()
    first.until(lambda: "2 " in first.output())
    begun = time.time() - 1
    first.close()
    late = []
    while time.time() < begun + 9:
        time.sleep(0.3)
        late.append(oldest_missing(lab, "closed.ipynb", begun=begun))
    assert nearly_always(late) < LATEST
    back = tab("closed.ipynb", busy=True)
    back.until(lambda: len(numbers(back.output())) > 10)
    # The file shows "[1]:" for a moment: the page asks the server what runs only once it is there.
    back.until(lambda: back.prompt() == "[*]:")
    seen = len(numbers(back.output()))
    back.until(lambda: len(numbers(back.output())) > seen, 10)
    (lab.work / "stop").touch()
    back.until(lambda: back.prompt() == "[1]:")
    back.wait(5)
    lines = numbers(back.output())
    assert lines == list(range(len(lines)))
    assert numbers(lab.read("closed.ipynb")) == lines
    assert back.dialogs() == 0
    assert not back.errors


def test_a_tab_that_lost_its_connection_misses_nothing_and_doubles_nothing(
    lab: Lab, tab: Open, browser: BrowserContext
) -> None:
    lab.write("asleep.ipynb", clock(45))
    browser.add_init_script("""
        const Real = WebSocket; const open = []; window.asleep = false;
        window.WebSocket = class extends Real {
            constructor(...all) {
                super(...(asleep ? ['wss://127.0.0.1:1'] : all));
                open.push(this);
            }
        };
        window.sleepNow = () => {
            asleep = true;
            // JupyterLab waits at random before it tries again: back while the cell still prints.
            Math.random = () => 0.15;
            open.forEach(one => one.close());
        };
    """)
    opened = tab("asleep.ipynb")
    opened.run()
    opened.until(lambda: "5 " in opened.output())
    opened.page.evaluate("sleepNow()")
    shown = numbers(opened.output())
    opened.wait(8)
    assert len(numbers(opened.output())) < len(shown) + 5
    assert len(numbers(lab.read("asleep.ipynb"))) > len(shown) + 5
    opened.page.evaluate("asleep = false")
    opened.until(lambda: opened.prompt() == "[1]:")
    opened.wait(5)
    assert numbers(lab.read("asleep.ipynb")) == list(range(45))
    assert numbers(opened.output()) == list(range(45))
    assert opened.dialogs() == 0


CLEARED = """
import time
from IPython.display import clear_output, display
shown = display("step 0", display_id=True)
for i in range(24):
    time.sleep(0.25)
    shown.update(f"step {i}")
print("half")
for i in range(12):
    time.sleep(0.25)
    clear_output(wait=True)
    print("left", i, end="\\r")
    print("kept", i)
"""
PROGRESS = """
import sys, time
from tqdm import tqdm
time.sleep(3)
for i in tqdm(range(20), file=sys.stdout, ncols=60):
    time.sleep(0.2)
"""


def test_without_a_tab_the_file_has_what_a_tab_would_show(lab: Lab, tab: Open) -> None:
    lab.write("updates.ipynb", CLEARED, PROGRESS, "1/0", "print('never')")
    opened = tab("updates.ipynb")
    for number in range(4):
        opened.run(number)
    opened.until(lambda: "step" in opened.output())
    opened.close()
    deadline = time.monotonic() + 30
    while "100%" not in lab.read("updates.ipynb", 1) and time.monotonic() < deadline:
        time.sleep(0.5)
    time.sleep(LATEST)
    assert lab.read("updates.ipynb", 0) == "kept 11\n"
    (line,) = lab.read("updates.ipynb", 1).strip("\n").split("\n")
    assert re.fullmatch(r"100%\|\S+\| 20/20 \[.*\]", line)
    cells = json.loads((lab.work / "updates.ipynb").read_text())["cells"]
    assert cells[2]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, None]
    assert cells[3]["outputs"] == []


def test_cells_of_an_old_notebook_are_told_apart(lab: Lab, tab: Open) -> None:
    lab.write("old.ipynb", clock(15), "print('same')", "print('same')", minor=4)
    opened = tab("old.ipynb")
    for number in range(3):
        opened.run(number)
    opened.until(lambda: "1 " in opened.output())
    opened.wait(1)
    opened.close()
    time.sleep(5 + LATEST)
    assert numbers(lab.read("old.ipynb")) == list(range(15))
    assert [lab.read("old.ipynb", number) for number in (1, 2)] == ["same\n", "same\n"]


def test_what_the_user_clears_stays_cleared(lab: Lab, tab: Open) -> None:
    lab.write("cleared.ipynb", "print('secret')", clock(30))
    opened = tab("cleared.ipynb")
    opened.run()
    opened.until(lambda: "secret" in lab.read("cleared.ipynb"))
    opened.run(1)
    opened.until(lambda: "3 " in lab.read("cleared.ipynb", 1))
    opened.page.click("text=Edit")
    opened.page.click("text=Clear Outputs of All Cells")
    opened.until(lambda: opened.prompt(1) == "[2]:", 20)
    opened.wait(6)
    assert lab.read("cleared.ipynb") == ""
    assert numbers(lab.read("cleared.ipynb", 1))[0] > 3
    assert opened.dialogs() == 0


def test_a_change_by_another_program_is_still_asked_about(lab: Lab, tab: Open) -> None:
    lab.write("pulled.ipynb", "print('mine')")
    opened = tab("pulled.ipynb")
    opened.run()
    opened.until(lambda: "mine" in lab.read("pulled.ipynb"))
    opened.wait(1)
    lab.write("pulled.ipynb", "print('theirs')")
    opened.cell().locator(".cm-content").click()
    opened.page.keyboard.type("# and this")
    changed = ".jp-Dialog >> text=has changed on disk"
    opened.page.wait_for_selector(changed, timeout=240_000)
    opened.page.click('.jp-Dialog button:has-text("Revert")')
    opened.until(lambda: "theirs" in opened.cell().inner_text(), 10)


def test_a_minute_without_a_tab_loses_nothing(lab: Lab, tab: Open, abandoned: Abandoned) -> None:
    time.sleep(max(0, abandoned.closed + 62 - time.monotonic()))
    found = numbers(lab.read(abandoned.name))
    assert len(found) > 150
    assert oldest_missing(lab, abandoned.name, begun=0) < LATEST or len(found) == abandoned.lines
    back = tab(abandoned.name, busy=True)
    back.until(lambda: numbers(back.output()) == list(range(abandoned.lines)))
    back.until(lambda: back.prompt() == "[1]:", 10)
    back.screenshot("back")
    assert back.dialogs() == 0


def test_a_stop_of_the_server_saves_first(lab: Lab, tab: Open) -> None:
    lab.write("stopped.ipynb", clock(100))
    opened = tab("stopped.ipynb")
    opened.run()
    opened.until(lambda: "2 " in opened.output())
    opened.close()
    time.sleep(1.5)
    stopped = time.time()
    lab.stop()
    found = lab.read("stopped.ipynb").split("\n")
    # A line is printed every 0.3 s; how long the stop itself takes is the machine's affair.
    assert float(found[-2].split()[1]) > stopped - 1
    assert numbers("\n".join(found)) == list(range(len(found) - 1))
    lab.start()
