"""What the machine has to tell is seen in JupyterLab, and what was typed is saved when it asks."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.doors import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Lab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# More than a rescue has: both ends of this test share two cores with other suites.
PATIENCE = {"seconds": 30}
NOTICE = {
    "id": "interruption-2026-11-23T10:11:12Z",
    "level": "warning",
    "time": "2026-11-23T10:11:12Z",
    "text": "AWS stops this spot machine at {time}. All is being saved. It comes back here by"
    " itself, without what kernels hold in memory.",
}


def test_a_notice_is_shown_once_and_typed_words_are_saved(
    lab: Lab, tab: Callable[..., Tab]
) -> None:
    lab.write("typed.ipynb", "x = 1")
    opened = tab("typed.ipynb")
    toasts = opened.page.locator(".Toastify__toast")
    # The same twice, and a tab that hears of it twice: one notice.
    for _ in range(2):
        assert ask(lab.door, "POST", "/notice", NOTICE)[0] == 200
    opened.until(lambda: toasts.count() == 1)
    text = toasts.inner_text()
    assert "AWS stops this spot machine at " in text
    assert "{time}" not in text
    # JupyterLab cuts at 140 characters.
    assert text.strip().endswith("in memory.")

    # Typed the moment before: the tab's own saving, every 3 s, comes too late.
    opened.cell().locator(".cm-content").click()
    opened.page.keyboard.press("End")
    opened.page.keyboard.type(" + 41  # typed")
    _, answer = ask(lab.door, "POST", "/save", PATIENCE)
    saved = json.loads((lab.work / "typed.ipynb").read_text())["cells"][0]["source"]
    assert "".join(saved) == "x = 1 + 41  # typed"
    assert answer["tabs"] == 1
    # Those of other tests, whose kernels still run, too.
    states = {one["path"]: one["state"] for one in answer["documents"]}
    assert states["typed.ipynb"] == "saved"
    assert set(states.values()) == {"saved"}
    opened.screenshot("notice")

    # Changed by others meanwhile: the tab asks, and a copy has the words if nobody answers.
    time.sleep(1)
    lab.write("typed.ipynb", "theirs = 1")
    opened.page.keyboard.type(", mine")
    _, answer = ask(lab.door, "POST", "/save", PATIENCE)
    (copy,) = lab.work.glob("typed.unsaved-*.ipynb")
    assert ", mine" in copy.read_text()
    assert "theirs" in (lab.work / "typed.ipynb").read_text()

    # The machine is back, or it was not taken.
    ask(lab.door, "POST", "/notice", {})
    opened.until(lambda: toasts.count() == 0)
    assert not opened.errors
