"""An interruption as a picture: what the machine was doing, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.acts import Act

BLUE, GREEN, GREY, RED = "#3b6fb6", "#3a8f5c", "#dfe2e7", "#c2503c"
ROWS = ("notebook", "machine", "rescue")
TOLD = {
    "noticed": "seen on the\nmachine",
    "saved": "saved",
    "ended": "EC2 stops it",
    "capacity": "stopped;\ncapacity is back",
    "running": "started",
    "answers": "answers",
}


def draw(act: Act, path: Path) -> None:
    """The file shows the act."""
    at = act.moments
    end = at["answers"] + 3
    bars = [
        ("notebook", 0, at["ended"], BLUE, "answers"),
        ("notebook", at["answers"], end, BLUE, ""),
        ("machine", 0, at["ended"], GREEN, "runs"),
        ("machine", at["ended"], at["stopped"], RED, "stops"),
        ("machine", at["stopped"], at["running"], GREY, "EC2 starts it again"),
        ("machine", at["running"], end, GREEN, "boots, runs"),
    ]
    bars.append(("rescue", at["noticed"], at["saved"], BLUE, ""))
    figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
    for row, begin, finish, color, text in bars:
        axes.barh(row, finish - begin, left=begin, color=color, edgecolor="white")
        middle, height = (begin + finish) / 2, ROWS.index(row)
        ink = "black" if color == GREY else "white"
        axes.text(middle, height, text, ha="center", va="center", color=ink, fontsize=8)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in act.steps.items())
    for name, text in TOLD.items():
        axes.axvline(at[name], ymax=0.8, color="#444", linewidth=0.6, linestyle=":")
        # All may be saved within a few tenths of a second.
        side = "right" if name == "noticed" else "left"
        axes.text(at[name], 2.6, f"{text}\n{at[name]:.1f} s", ha=side, va="bottom", fontsize=8)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axes.text(at["saved"] + 0.3, 2, steps, ha="left", va="center", fontsize=8, bbox=paper)
    axes.set_yticks(range(len(ROWS)), ROWS)
    axes.set_ylim(-0.5, 3.4)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds since EC2 announced the interruption")
    axes.tick_params(left=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(path)
