"""A machine's ends, most with somebody at work: nothing saved is lost, the place is the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.machine import pages
from tests.machine.rehearsal import rehearse
from tests.machine.work import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.machine.acts import Act
    from tests.machine.live import Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NOTICED = ("terminated", "with notice", "without capacity")
AT_WORK = (*NOTICED, "without notice", "stopped and kept")
LATEST = 8.0
"""Seconds of work that a machine lost without notice may cost: outputs are recorded within five,
files synced every four, on a computer that has other things to do."""


class Screen:
    """A browser that is open as an interruption is announced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notice = ""

    @contextmanager
    def watching(self, live: Live, act: str) -> Iterator[None]:
        """What JupyterLab shows, in a thread: at the end of the act it is shown no more."""
        if act != "with notice":
            yield
            return
        ready = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(self._look, live, ready)
            while not ready.wait(0.2):
                assert not looking.done(), looking.result()
            yield
            self.notice = looking.result()

    def _look(self, live: Live, ready: threading.Event) -> str:
        with pages.chromium(self.folder, live.key_sha256) as browser:
            page = browser.page()
            browser.log_in(page, live)
            page.wait_for_selector("#jp-main-statusbar")
            ready.set()
            toast = page.locator(pages.TOASTS, has_text="spot machine")
            expect(toast).to_be_visible()
            pages.picture(page, "machine-interruption")
            return toast.inner_text()


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    return Screen(tmp_path_factory.mktemp("screen"))


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory, screen: Screen) -> dict[str, Act]:
    found = rehearse(tmp_path_factory.mktemp("rehearsal"), screen.watching)
    return {act.name: act for act in found}


@pytest.mark.parametrize("name", AT_WORK)
def test_what_jupyter_has_confirmed_is_there(acts: dict[str, Act], name: str) -> None:
    left = acts[name].left
    assert left is not None
    assert left.edits_lost <= 0
    assert left.output_seconds < LATEST
    assert left.file_seconds < LATEST


@pytest.mark.parametrize("name", AT_WORK)
def test_no_file_is_torn_and_none_lacks_in_the_middle(acts: dict[str, Act], name: str) -> None:
    left = acts[name].left
    assert left is not None
    if name == "without notice":  # what was written last is lost, and told
        assert all(seconds < LATEST for seconds in left.broken.values()), left.broken
    else:
        assert left.broken == {}


@pytest.mark.parametrize("name", [*AT_WORK, "restored"])
def test_every_file_at_rest_is_the_same(acts: dict[str, Act], name: str) -> None:
    assert acts[name].compared > 10
    assert acts[name].changed == []


@pytest.mark.parametrize("name", [*AT_WORK, "restored"])
def test_it_is_the_same_place(acts: dict[str, Act], name: str) -> None:
    assert acts[name].same == {"address": True, "key": True, "password": True}


@pytest.mark.parametrize("name", NOTICED)
def test_a_notice_is_shown_and_the_kernels_are_listed_and_the_hook_runs(
    acts: dict[str, Act], name: str
) -> None:
    act = acts[name]
    assert act.left is not None
    assert "All is being saved" in act.notice
    assert ("takes this spot machine away" in act.notice) == (name == "terminated")
    assert act.reasons[-1] == "interruption"
    assert act.left.hooked == ["interruption\n"]
    assert LONG in act.left.listed


def test_the_notice_is_seen_in_a_browser(acts: dict[str, Act], screen: Screen) -> None:
    assert acts["with notice"].notice
    assert "AWS stops this spot machine at " in screen.notice
    assert "{time}" not in screen.notice


def test_a_recommendation_to_rebalance_saves_documents_first(acts: dict[str, Act]) -> None:
    assert acts["terminated"].reasons == ["rebalance", "interruption"]


def test_a_plain_stop_saves_too(acts: dict[str, Act]) -> None:
    act = acts["stopped and kept"]
    assert act.left is not None
    assert act.reasons[-1] == "stop"
    assert LONG in act.left.listed
    assert act.left.hooked == [], "the hook is for interruptions"


@pytest.mark.parametrize("name", NOTICED)
def test_a_notice_brings_work_in_progress_to_a_side_branch(acts: dict[str, Act], name: str) -> None:
    left = acts[name].left
    assert left is not None
    (branch,) = left.branch
    assert branch.startswith("clouds/autosave/")
    assert left.saved == {"analysis.py": "committed\nin progress\n", "idea.txt": "new\n"}
    assert left.status == " M analysis.py\n?? idea.txt\n"
