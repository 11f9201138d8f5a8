"""Whatever happens to a deployment, in whatever order: its data is there, one machine runs, and
`down` leaves what the user chose to keep.

A failure tells its seed and what was done until then; CONTRIBUTING.md tells how it is repeated.
"""

from __future__ import annotations

import shutil
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.module import sequences
from tests.module.scene import lived
from wrapper.deployment import bringing_back, clearing, coming_back, rehearsing, requests, watch

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE = 4
"""Most of a life is the provider's waiting."""


def test_every_kind_of_step_is_in_the_default_sequences() -> None:
    lives = [sequences.draw(seed) for seed in sequences.DEFAULT_SEEDS]
    drawn = [step for life in lives for step in life]
    assert {step.kind for step in drawn} == {*sequences.KINDS}
    assert {step.peril.how for step in drawn if step.peril} == {"killed", "ctrl-c"}
    assert {step.said for step in drawn if step.kind == "down"} == {"snapshot", "keep", "delete"}
    moved = [step for life in lives for step in sequences.with_a_kept_volume(life)]
    assert [step for step in moved if step.peril], "no move of a kept volume is cut short"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for that is not there at once."""
    monkeypatch.setattr(bringing_back, "MOVE_AFTER", 0.5)
    monkeypatch.setattr(coming_back, "EVERY", 0.2)
    monkeypatch.setattr(rehearsing, "EVERY", 0.1)
    monkeypatch.setattr(requests, "PATIENCE", 2.0)
    monkeypatch.setattr(clearing, "AGAIN", (0.0, 0.1, 0.3, 1.0, 3.0))
    monkeypatch.setattr(watch, "SETTLED", 3.0)


@pytest.mark.slow
@pytest.mark.timeout(36_000)  # as many sequences as somebody asks for
@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(
    not (shutil.which("terraform") or shutil.which("tofu")), reason="needs terraform or tofu"
)
def test_nothing_saved_is_lost_and_one_machine_runs_in_random_sequences(
    tmp_path: Path, providers: Path
) -> None:
    def live(seed: int | str) -> str:
        with lived(tmp_path / str(seed), providers) as life:
            for step in sequences.draw(seed):
                try:
                    life.lead(step)
                except BaseException as error:  # noqa: BLE001 (told, whatever it is)
                    told = "".join(f"\n  {one}" for one in life.log)
                    reason = "".join(traceback.format_exception(error, limit=-6))
                    print(f"{seed}: {reason}", flush=True)
                    return f"{sequences.SEEDS}={seed!r}: {error!r}{told}"
                print(f"{seed}: {life.log[-1]}", flush=True)
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failures = list(filter(None, pool.map(live, sequences.seeds())))
    assert not failures, "\n".join(failures)
