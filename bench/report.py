"""The table: every figure as a ratio of two that were taken in the same run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside what it is measured against; both in the unit named."""

    what: str
    figure: float
    against: str
    reference: float
    unit: str = "s"
    aim: float | None = None
    """The ratio that we want to stay under."""

    @property
    def ratio(self) -> float:
        """The figure over its reference."""
        return self.figure / self.reference

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        aim = "" if self.aim is None else f"≤ {self.aim:.2g}"
        return (
            self.what,
            f"{self.figure:.2f} {self.unit}",
            self.against,
            f"{self.reference:.2f} {self.unit}",
            f"{self.ratio:.2f}",
            aim,
        )


HEADINGS = ("what", "figure", "against", "reference", "ratio", "aim")


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([shown[0], rule, *shown[1:]])


def phases(seconds: dict[str, float]) -> str:
    """The phases of `up`, in the order in which they ended, as a Markdown table."""
    lines = ["| phase | seconds |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value:.1f} |" for name, value in seconds.items())])
