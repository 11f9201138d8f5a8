"""Saves of one document wait for one another, however slow the way to the server is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Lab, Tab

    Open = Callable[..., Tab]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The file is saved at once; that it was, the tab hears two seconds later. More time than JupyterLab
# lets pass between two autosaves of its own, and than somebody needs for the next cell.
SLOW = """
window.saves = 0;
const sent = window.fetch;
window.fetch = async (request, init) => {
  const answer = await sent(request, init);
  const put = (init?.method ?? request.method) === 'PUT';
  if (put && String(request.url ?? request).includes('.ipynb')) {
    window.saves += 1;
    await new Promise(done => setTimeout(done, 2000));
  }
  return answer;
};
"""


def test_saves_that_overlap_ask_nothing_and_lose_nothing(lab: Lab, tab: Open) -> None:
    lab.write("overlap.ipynb", *(f"print('cell', {number})" for number in range(6)))
    opened = tab("overlap.ipynb", script=SLOW)
    for number in range(6):
        # Each is saved when it runs, and again by the autosave, and by hand.
        opened.run(number)
        opened.wait(0.4)
        opened.page.keyboard.press("Control+S")
    opened.until(lambda: lab.read("overlap.ipynb", 5) == "cell 5\n")
    assert opened.page.evaluate("window.saves") > 1
    assert opened.dialogs() == 0
    assert [lab.read("overlap.ipynb", number) for number in range(6)] == [
        f"cell {number}\n" for number in range(6)
    ]
    assert not opened.errors


HELD = """
window.saves = 0;
const held = new Promise(done => { window.release = done; });
const sent = window.fetch;
window.fetch = async (request, init) => {
  const answer = await sent(request, init);
  const put = (init?.method ?? request.method) === 'PUT';
  if (put && String(request.url ?? request).includes('.ipynb')) {
    window.saves += 1;
    await held;
  }
  return answer;
};
"""


def test_what_is_typed_during_a_save_is_saved_by_the_next(lab: Lab, tab: Open) -> None:
    lab.write("during.ipynb", "print('one')")
    opened = tab("during.ipynb", script=HELD)
    opened.cell().locator(".cm-content").click()
    opened.page.keyboard.type("1 + ")
    opened.until(lambda: opened.page.evaluate("window.saves") == 1)
    opened.page.keyboard.type("2 + ")
    opened.page.evaluate("window.release()")
    opened.until(lambda: "1 + 2 + " in (lab.work / "during.ipynb").read_text())
    # And is not saved for ever.
    opened.until(lambda: opened.page.locator(".jp-mod-dirty").count() == 0)
    saves = opened.page.evaluate("window.saves")
    opened.wait(7)
    assert opened.page.evaluate("window.saves") == saves
    assert not opened.errors


REFUSED = """
window.refused = false;
const sent = window.fetch;
window.fetch = async (request, init) => {
  const put = (init?.method ?? request.method) === 'PUT';
  if (!window.refused || !put || !String(request.url ?? request).includes('.ipynb'))
    return sent(request, init);
  return new Response('{"message": "full"}', {status: 507});
};
"""


def test_a_save_after_one_that_failed_is_made(lab: Lab, tab: Open) -> None:
    lab.write("failed.ipynb", "print('one')")
    opened = tab("failed.ipynb", script=REFUSED)
    opened.cell().locator(".cm-content").click()
    opened.page.keyboard.type("1 + ")
    opened.page.evaluate("window.refused = true")
    opened.page.keyboard.type("2 + ")
    opened.until(lambda: opened.dialogs() > 0)
    opened.page.evaluate("window.refused = false")

    def closed() -> bool:
        # One more may be on its way.
        for button in opened.page.locator(".jp-Dialog button:visible").all()[-1:]:
            button.click()
        return opened.dialogs() == 0

    opened.until(closed)
    opened.page.keyboard.press("Control+S")
    opened.until(lambda: "1 + 2 + " in (lab.work / "failed.ipynb").read_text())
