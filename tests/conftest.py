"""Which tests share a worker when they run side by side.

xdist's own way, --dist loadgroup, groups nothing with pytest 9.2, and says nothing:
https://github.com/pytest-dev/pytest-xdist/issues/1386
"""

from __future__ import annotations

import gc
from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

from wrapper import garbage

garbage.look_seldom()

SHARED = {
    "test_account_refusals": "plan",
    "test_acme": "certified",
    "test_bad_input": "inputs",
    "test_bucket": "live",
    "test_changes": "lives",
    "test_images": "certified",
    "test_in_a_browser": "live",
    "test_lifecycle": "lives",
    "test_notebook": "live",
    "test_notebook_endures": "live",
    "test_notebook_first_boot": "live",
    "test_plan": "plan",
    "test_user_data": "user data",
}
"""Files whose tests share a fixture that takes long to make."""
APART = {
    "test_cli_process",
    "test_down_data",
    "test_down_mishaps",
    "test_services_autostop",
    "test_services_boots",
}
"""Files whose tests share nothing and take long: they fill what other files leave of the time."""


class ByFixture(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """Tests that share such a fixture go to one worker, a file of machine or unit tests too."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.partition("::")[0])
        together = file.parent.name in ("machine", "unit") and file.stem not in APART
        return SHARED.get(file.stem, file.stem if together else nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFixture | None:
    return ByFixture(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_finish() -> None:
    """What was imported stays to the end: no later look for garbage goes through it."""
    gc.freeze()
