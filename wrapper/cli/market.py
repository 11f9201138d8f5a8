"""`offers` and `prices`: what fits, and what it costs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import needing, options, worlds
from wrapper.cli.everywhere import regions_asked
from wrapper.cli.failure import fitting
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen
from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from wrapper.deployment.offering import Offered
    from wrapper.deployment.price_history import Prices
    from wrapper.offers import Offer

_HEAD = ("type", "place", "memory", "vCPUs", "GPUs", "$/hour", "on-demand", "saved")


@click.command()
@needing.options
@click.option(
    "--market",
    type=click.Choice(("spot", "on-demand", "both")),
    default="spot",
    show_default=True,
)
@click.option("--regions", metavar="A,B", help='These regions, or "all" of them.  [default: yours]')
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows at most."
)
@options.region
@options.local
@click.option("--refresh", is_flag=True, help="Ask anew what was asked a short while ago.")
@click.option("--csv", "as_csv", is_flag=True, help="A table with commas on standard output.")
@options.as_json
def offers(*, as_json: bool, as_csv: bool, **given: Any) -> None:
    """Which machines have what you need, ranked by their price now.

    For each type its cheapest zone in each region; no bare metal, nor the oldest types, which
    cannot have a data volume. Prices are kept for five minutes, what changes less for longer.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    needing.refuse_both_regions()
    needs = needing.needs_of(given)
    if needs is None:
        raise SettingsError(
            "What is needed was not said.", hint="python -m wrapper offers --memory 64 --cpus 16"
        )
    if as_csv and as_json:
        raise SettingsError("--csv and --json are two answers.", hint="One of them.")
    with Screen() as screen:
        found = deployment.offers(
            worlds.real(screen.report, Person(yes=True)),
            deployment.Looking(
                needs=needs,
                markets=given["market"],
                regions=regions_asked(given["regions"]),
                max_price=given["max_price"],
                limit=given["limit"],
            ),
            local=bool(given["local"]),
            region=given["region"],
            refresh=given["refresh"],
        )
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
    elif as_csv:
        click.echo(_as_csv(found), nl=False)
    else:
        click.echo(fitting(text(found), None))


@click.command()
@click.argument("what", metavar="TYPE|NAME", required=False, default="notebook")
@click.option(
    "--days", type=click.IntRange(1, 90), default=90, show_default=True, help="EC2 tells 90."
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A picture: .png, .svg or .html.",
)
@options.region
@options.local
@click.option("--refresh", is_flag=True, help="Ask anew what was asked a short while ago.")
@options.as_json
def prices(what: str, *, plot: Path | None, as_json: bool, **given: Any) -> None:
    """What an instance type, or a notebook's, cost on spot, zone by zone."""
    if "." not in what and (said := needing.typed("region", "local")):
        raise click.UsageError(f"{said} goes with a type: {what} is where it is.")
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    if plot:
        from wrapper import plot as room  # noqa: PLC0415 (after --help)

        room.check(plot)
    with Screen() as screen:
        found = deployment.prices(
            worlds.real(screen.report, Person(yes=True)),
            what,
            days=given["days"],
            local=bool(given["local"]),
            region=given["region"],
            refresh=given["refresh"],
        )
    if plot:
        _draw(plot, found)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        click.echo(_history(found) + (f"\nplot: {plot}" if plot else ""))


def _draw(path: Path, found: Prices) -> None:
    from wrapper import plot  # noqa: PLC0415 (an extra)

    plot.draw(
        path,
        [
            plot.Series(
                one.zone,
                [datetime.fromisoformat(at) for at, _ in one.changes],
                [dollars for _, dollars in one.changes],
                chosen=one.in_use,
            )
            for one in found.zones
        ],
        title=f"Spot prices of {found.instance_type} in {found.region}",
        until=datetime.fromisoformat(found.until),
        on_demand=found.on_demand_price,
    )


def _history(found: Prices) -> str:
    from wrapper import since  # noqa: PLC0415 (after --help)
    from wrapper.offers import sparkline  # noqa: PLC0415 (after --help)

    rows: list[tuple[str, ...]] = [
        ("zone", "now", "least", "mean", "most", f"since {found.since[:10]}")
    ]
    for one in found.zones:
        numbers = [f"{dollars:.4f}" for dollars in (one.now, one.least, one.mean, one.most)]
        mark = f"{one.zone} (in use)" if one.in_use else one.zone
        rows.append((mark, *numbers, sparkline(one.days, 30)))
    lines = table(rows, numbers=range(1, 5))
    full = found.on_demand_price
    if full:
        lines.append(
            f"on-demand: ${full:.4f} an hour; spot is {1 - found.zones[0].now / full:.0%} below it"
        )
    if ages := since.ages(found.ages):
        lines.append(f"Kept from before: {ages}; --refresh asks anew.")
    return "\n".join([f"{found.instance_type} in {found.region}, dollars an hour", *lines])


def table(rows: Sequence[Sequence[str]], *, numbers: Container[int]) -> list[str]:
    """Lines with aligned columns; those that hold numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _document(found: Offered) -> dict[str, Any]:
    return {
        "offers": [{**asdict(one), "allowed": one.allowed} for one in found.offers],
        "found": found.found,
        "types": found.types,
        "regions": found.regions,
        "oldest_seconds": round(found.oldest),
        "ages_seconds": {what: round(age) for what, age in found.ages.items()},
    }


def _as_csv(found: Offered) -> str:
    from wrapper.offers import Offer  # noqa: PLC0415 (after --help)

    names = [one.name for one in fields(Offer) if one.name != "days"]
    out = io.StringIO()
    table = csv.DictWriter(out, [*names, "allowed", "price_age_seconds"], extrasaction="ignore")
    table.writeheader()
    for one in found.offers:
        age = found.ages.get("spot prices" if one.market == "spot" else "on-demand prices", 0.0)
        row = {**asdict(one), "allowed": one.allowed, "price_age_seconds": round(age)}
        table.writerow(row)
    return out.getvalue()


def text(found: Offered) -> str:
    """A table, and what its columns mean."""
    from wrapper import since  # noqa: PLC0415 (after --help)
    from wrapper.offers import sparkline  # noqa: PLC0415 (after --help)

    spot = any(one.market == "spot" for one in found.offers)
    head = (*_HEAD, *(("30 days", "chance") if spot else ()), "quota")
    rows = [head]
    for one in found.offers:
        movement = (sparkline(one.days), _of_ten(one)) if spot else ()
        rows.append((*_row(one), *movement, _quota(one)))
    lines = table(rows, numbers=range(2, 8))
    where = found.regions[0] if len(found.regions) == 1 else f"{len(found.regions)} regions"
    lines.append(f"{len(found.offers)} of {found.found}: {found.types} types fit in {where}.")
    if ages := since.ages(found.ages):
        lines.append(f"Kept from before: {ages}; --refresh asks anew.")
    lines += _more_quota(found)
    if spot:
        lines.append(
            "chance: EC2's placement score of the zone, 10 is best, for a request that takes any "
            "type listed; it tells nothing of interruptions."
        )
    return "\n".join(lines)


def _more_quota(found: Offered) -> list[str]:
    """How to ask for more, once for each quota that is too small for something on the list."""
    from wrapper import quotas  # noqa: PLC0415 (after --help)

    small: dict[tuple[str, str], list[Offer]] = {}
    for one in found.offers:
        if one.allowed is False:
            small.setdefault((one.region, one.quota_code or ""), []).append(one)
    return [
        f"{code}, {region}: {some[0].quota_vcpus} vCPUs. More: "
        + quotas.request(code, region, max(one.cpus for one in some))
        for (region, code), some in small.items()
    ]


def _row(one: Offer) -> tuple[str, ...]:
    gpus = f"{one.gpus} {one.gpu}" if one.gpus else ""
    return (
        one.instance_type,
        one.zone or one.region,
        f"{one.memory_gib:g} GiB",
        str(one.cpus),
        gpus,
        f"{one.hourly_price:.3f}",
        "" if one.on_demand_price is None else f"{one.on_demand_price:.3f}",
        "" if one.saving is None else f"{one.saving:.0%}",
    )


def _of_ten(one: Offer) -> str:
    return "" if one.placement_score is None else f"{one.placement_score}/10"


def _quota(one: Offer) -> str:
    if one.allowed is None:
        return ""
    return "ok" if one.allowed else f"too small: {one.quota_vcpus} vCPUs"
