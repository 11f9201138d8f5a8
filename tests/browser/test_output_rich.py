"""Widgets, display updates, HTML and plots render as in plain JupyterLab, also in a clone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Lab, Tab

    Open = Callable[..., Tab]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What somebody else's notebook comes with: nobody here has signed it, so none of it may run.
FOREIGN = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"text/html": "<script>window.foreign = true</script><b id=foreign>theirs</b>"},
}
SLIDER = """
import ipywidgets as w
slider = w.IntSlider(value=7, max=10)
label = w.Label("unmoved")
slider.observe(lambda change: setattr(label, "value", f"moved to {change.new}"), "value")
w.VBox([slider, label])
"""
TQDM = """
import time
from tqdm.notebook import tqdm
for _ in tqdm(range(10), desc="rows"):
    time.sleep(0.05)
"""
UPDATE = """
from IPython.display import display
shown = display("before", display_id=True)
shown.update("after")
"""
CLEAR = """
from IPython.display import clear_output
for i in range(5):
    clear_output(wait=True)
    print("pass", i)
"""
OUTPUT = """
out = w.Output()
with out:
    print("inside")
button = w.Button(description="press")
@button.on_click
def pressed(_):
    with out:
        print("pressed")
w.VBox([button, out])
"""
HTML = """
from IPython.display import HTML, Javascript, display
display(HTML("<style>#rich {color: rgb(1, 2, 3)}</style><b id=rich>bold</b>"))
display(Javascript("element.append('by script')"))
"""
PLOT = """
%matplotlib inline
import matplotlib.pyplot as plt
plt.figure(figsize=(3, 1)); plt.plot([1, 3, 2]); plt.show()
"""


def test_everything_renders_in_a_cloned_notebook(lab: Lab, tab: Open) -> None:
    sources = ("'mine'", SLIDER, TQDM, UPDATE, CLEAR, OUTPUT, HTML, PLOT)
    lab.write("clone.ipynb", "'theirs'", *sources[1:], outputs=[FOREIGN])
    opened = tab("clone.ipynb")
    assert opened.page.evaluate("window.foreign") is None
    for number in range(1, len(sources)):
        opened.run(number)
    opened.until(lambda: opened.prompt(7) == "[7]:")
    slider = opened.cell(1).locator(".noUi-handle")
    slider.focus()
    slider.press("ArrowRight")
    opened.until(lambda: "moved to 8" in opened.output(1), 10)
    assert "rows: 100%" in opened.output(2)
    assert opened.cell(2).locator(".widget-hprogress").count() == 1
    assert opened.output(3).strip() == "'after'"
    assert opened.output(4).strip() == "pass 4"
    opened.cell(5).locator("button:has-text('press')").click()
    opened.until(lambda: opened.output(5).split()[-3:] == ["press", "inside", "pressed"], 10)
    bold = opened.cell(6).locator("#rich")
    assert bold.evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    assert "by script" in opened.output(6)
    assert opened.cell(7).locator("img").evaluate("one => one.naturalWidth") > 100
    assert opened.page.evaluate("window.foreign") is None
    opened.screenshot("rich")
    opened.cell(5).scroll_into_view_if_needed()
    opened.wait(6)
    assert opened.dialogs() == 0
    assert not opened.errors


AWAY = """
import ipywidgets as w, time
from tqdm.notebook import tqdm
out = w.Output()
display(out)
bar = tqdm(range(24), desc="rows")
for i in bar:
    with out:
        print("row", i)
    time.sleep(0.25)
"""


def test_widgets_are_up_to_date_in_a_tab_opened_after_the_cell_ended(lab: Lab, tab: Open) -> None:
    lab.write("away.ipynb", AWAY, "print('next')")
    opened = tab("away.ipynb")
    opened.run()
    opened.until(lambda: "row 3" in opened.output())
    opened.close()
    time.sleep(8)
    back = tab("away.ipynb")
    back.run(1)
    back.until(lambda: "100%" in back.output(), 20)
    back.screenshot("away")
    rows = [line for line in back.output().split("\n") if line.startswith("row ")]
    assert rows == [f"row {i}" for i in range(24)]
    assert back.dialogs() == 0
