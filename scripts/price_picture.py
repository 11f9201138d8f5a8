"""Draws prices of a file as `prices --plot` does: docs/images/spot-prices-aws.svg.

The file is JSON: for each zone a price at every step, `{"us-east-1a": [1.67, 1.67, 1.69]}`. What
was drawn, and whence, is told in docs/cost.md.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import click

from wrapper import plot


def changes(prices: list[float], begin: datetime, step: timedelta) -> plot.Series:
    """The moments at which the price moved, the first among them."""
    moved = [at for at, price in enumerate(prices) if at == 0 or price != prices[at - 1]]
    return plot.Series("", [begin + at * step for at in moved], [prices[at] for at in moved])


def draw(told: dict[str, list[float]], out: Path, **given: str | float) -> None:
    """The picture is there, of the zones whose names begin so."""
    begin, step = (
        datetime.fromisoformat(str(given["begin"])),
        timedelta(seconds=float(given["step"])),
    )
    zones = {key: prices for key, prices in told.items() if key.startswith(str(given["zones"]))}
    if not zones:
        raise click.UsageError(f"No zone begins with {given['zones']}: {', '.join(told)}")
    series = []
    for key, prices in zones.items():
        found = changes(prices, begin, step)
        series.append(plot.Series(key.partition("_")[0], found.times, found.dollars))
    until = begin + max(map(len, zones.values())) * step
    plot.draw(
        out,
        series,
        title=str(given["title"]),
        until=until,
        on_demand=float(given["on_demand"]) or None,
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--begin", required=True, help="The first price's moment, ISO 8601.")
@click.option("--step", type=float, required=True, help="Seconds between two prices.")
@click.option("--zones", default="", help="Only those whose names begin so.")
@click.option("--title", required=True)
@click.option("--on-demand", type=float, default=0.0, help="Dollars an hour, for the line.")
def main(file: Path, out: Path, **given: str | float) -> None:
    """Draw the prices of FILE to OUT."""
    plot.check(out)
    draw(json.loads(file.read_text(encoding="utf-8")), out, **given)


if __name__ == "__main__":
    main()
