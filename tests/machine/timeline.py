"""An interruption as a picture: what the machine was doing, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.rehearsal import Act

BLUE, GREEN, GREY, RED = "#3b6fb6", "#3a8f5c", "#b9bec6", "#c2503c"


def draw(act: Act, path: Path) -> None:
    """The file shows the act."""
    at = act.moments
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    rows = ["notebook", "machine", "rescue"]
    axes.barh("notebook", at["ended"], color=BLUE)
    axes.barh("notebook", 2, left=at["answers"], color=BLUE)
    axes.barh("machine", at["ended"], color=GREEN)
    axes.barh("machine", at["stopped"] - at["ended"], left=at["ended"], color=RED)
    axes.barh("machine", at["capacity"] - at["stopped"], left=at["stopped"], color=GREY)
    end = at["answers"] + 2
    axes.barh("machine", end - at["running"], left=at["running"], color=GREEN)
    left = at["noticed"]
    for number, (step, seconds) in enumerate(act.steps.items()):
        width = max(seconds, 0.1)
        axes.barh("rescue", width, left=left, color=(BLUE, GREEN)[number % 2])
        if seconds >= 1:
            axes.text(left + width / 2, 2, step, ha="center", va="center", color="white")
        left += width
    for name in ("noticed", "saved", "ended", "stopped", "capacity", "running", "answers"):
        axes.axvline(at[name], color="#444", linewidth=0.6, linestyle=":")
        axes.text(at[name], 2.55, f"{name}\n{at[name]:.1f} s", ha="left", va="bottom", fontsize=7)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(-0.5, 3.3)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds since EC2 announced the interruption")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(path)
