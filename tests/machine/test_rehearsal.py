"""Three interruptions, each with somebody at work: nothing saved is lost, the place is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.rehearsal import rehearse

if TYPE_CHECKING:
    from tests.machine.rehearsal import Act

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAMES = ("with notice", "without notice", "without capacity")
LATEST = 8.0
"""Seconds of work that a machine lost without notice may cost: outputs are recorded within five,
files synced every four, on a computer that has other things to do."""


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Act]:
    return {act.name: act for act in rehearse(tmp_path_factory.mktemp("rehearsal"))}


@pytest.mark.parametrize("name", NAMES)
def test_what_jupyter_has_confirmed_is_there(acts: dict[str, Act], name: str) -> None:
    left = acts[name].left
    assert left is not None
    assert left.edits_lost <= 0
    assert left.output_seconds < LATEST
    assert left.file_seconds < LATEST


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_place(acts: dict[str, Act], name: str) -> None:
    assert acts[name].same == {"address": True, "key": True}


@pytest.mark.parametrize("name", ["with notice", "without capacity"])
def test_a_notice_brings_work_in_progress_to_a_side_branch(acts: dict[str, Act], name: str) -> None:
    left = acts[name].left
    assert left is not None
    (branch,) = left.branch
    assert branch.startswith("clouds/autosave/")
    assert left.saved == {"analysis.py": "committed\nin progress\n", "idea.txt": "new\n"}
    assert left.status == " M analysis.py\n?? idea.txt\n"
