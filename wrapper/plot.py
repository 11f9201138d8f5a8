"""Price histories as pictures; the only room that draws.

By matplotlib, which is an extra: whoever never plots does not install it.
"""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from wrapper.errors import DiskError, FailedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

KINDS = (".html", ".png", ".svg")
_INCHES = (10, 5.5)
# Okabe and Ito's, which the colour-blind can tell apart: https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")


@dataclass(frozen=True)
class Series:
    """A price that holds until the next one."""

    name: str
    times: Sequence[datetime]
    dollars: Sequence[float]
    chosen: bool = False
    """The one in use."""


def check(path: Path) -> None:
    """It can be drawn there. SettingsError: no such kind of file; FailedError: no matplotlib."""
    if path.suffix.lower() not in KINDS:
        raise SettingsError(
            f"{path}: a plot is one of {', '.join(KINDS)}.", hint=f"--plot {path.stem or 'p'}.svg"
        )
    _figure()


def draw(
    path: Path, series: Sequence[Series], *, title: str, until: datetime, on_demand: float | None
) -> None:
    """The picture is there: prices over time, one line each. DiskError."""
    figure = _figure()(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for number, one in enumerate(series):
        axes.plot(
            [*one.times, until],
            [*one.dollars, one.dollars[-1]],
            drawstyle="steps-post",
            color=_COLOURS[number % len(_COLOURS)],
            linewidth=2.4 if one.chosen else 1.2,
            label=f"{one.name} (in use)" if one.chosen else one.name,
        )
    if on_demand is not None:
        axes.axhline(on_demand, color="#666666", linestyle="--", label="on-demand")
    _write_dates(axes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("US dollars an hour")
    axes.set_xlabel("date (UTC)")
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    try:
        _save(figure, path, title)
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}.", hint="Another --plot FILE") from None


def _write_dates(axes: Any) -> None:
    # Some of it is untyped.
    dates: Any = import_module("matplotlib.dates")
    where = dates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(where)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(where))


def _save(figure: Any, path: Path, title: str) -> None:
    if path.suffix.lower() == ".png":
        figure.savefig(path, dpi=144)
        return
    drawn = io.StringIO()
    # The same prices give the same file.
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    if path.suffix.lower() == ".svg":
        path.write_text(svg, encoding="utf-8")
        return
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title>"
        "<style>svg {width: 100%; height: auto; max-width: 80rem}</style>"
        f"{svg[svg.index('<svg') :]}</html>\n"
    )
    path.write_text(page, encoding="utf-8")


def _figure() -> Any:
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra, and slow to load)
        from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)
    except ImportError:
        raise FailedError(
            "A plot needs matplotlib, which is not installed here.",
            hint="pip install 'jupyter-clouds[plot]', or: pip install matplotlib",
        ) from None
    mpl.rcParams["svg.hashsalt"] = "jupyter-clouds"
    return Figure
