"""One notebook's cost from its journal, and from what the account tells beyond it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wrapper import journal, list_prices, spending
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.place import Way
    from wrapper.home import Home, Record
    from wrapper.journal import Journal, Machine
    from wrapper.spending import Change, Run

HISTORY = timedelta(days=90)
"""So far back CloudTrail tells of events, and EC2 of spot prices."""
LEFT_OUT = (
    "Left out: data transfer, S3, taxes, credits and the free tier. What is charged is on AWS's "
    "bill: https://console.aws.amazon.com/costmanagement/"
)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run of a machine; its field names are a contract."""

    instance_id: str
    instance_type: str | None
    zone: str | None
    market: str | None
    began: str
    ended: str | None
    hours: float
    dollars: float | None
    """None where no price is known."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one notebook has cost; its field names are a contract. US dollars, about."""

    name: str
    place: str
    region: str
    since: str
    until: str
    hours: float
    machines: float
    disks: float
    addresses: float
    snapshots: float
    total: float
    runs: tuple[Ran, ...] = ()
    assumptions: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


@dataclass
class Reckoning:
    """The parts of one notebook's cost, while it is reckoned."""

    record: Record
    way: Way | None
    since: datetime
    until: datetime
    known: Journal
    whole: bool = True
    """From the beginning: `since` is then no more than how far back may be asked."""
    notes: list[str] = field(default_factory=list)
    asked: datetime | None = None
    """Since when spot prices are needed."""
    prices: dict[tuple[str, str, str], list[Change]] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """One assumption, told once."""
        if text not in self.notes:
            self.notes.append(text)


def so_far(home: Home) -> float | None:
    """By the journal alone, at the prices of each start; None when nothing was written."""
    record, known = home.record(), journal.read(home)
    if record is None or known.began is None:
        return None
    return reckon(Reckoning(record, None, known.began, datetime.now(UTC), known)).total


def reckon(one: Reckoning) -> Spent:
    """All of it together. What the account refuses to tell is an assumption, and no error."""
    ran = _runs(one)
    keeping = {kind: _kept(one, kind) for kind in ("volume", "address", "snapshot")}
    hours = sum(run.hours for run in ran)
    addresses = float(keeping["address"]) + _automatic(one, hours)
    machines = sum(run.dollars or 0 for run in ran)
    unpriced = sum(run.hours for run in ran if run.dollars is None)
    if unpriced:
        one.note(f"{unpriced:.1f} hours are not priced: no price is known for them.")
    if one.record.place.kind == "local":
        one.note("On the embedded EC2 nothing is billed: this is what its prices would come to.")
    one.note(LEFT_OUT)
    parts = {
        "machines": round(machines, 4),
        "disks": round(float(keeping["volume"]), 4),
        "addresses": round(addresses, 4),
        "snapshots": round(float(keeping["snapshot"]), 4),
    }
    return Spent(
        name=one.record.name,
        place=one.record.place.kind,
        region=one.record.place.region,
        since=_beginning(one, ran).isoformat(timespec="seconds"),
        until=one.until.isoformat(timespec="seconds"),
        hours=round(hours, 3),
        **parts,
        total=round(sum(parts.values()), 4),
        runs=tuple(ran),
        assumptions=tuple(one.notes),
    )


def _beginning(one: Reckoning, ran: Sequence[Ran]) -> datetime:
    if not one.whole:
        return one.since
    times = [datetime.fromisoformat(run.began) for run in ran]
    return min([*times, *filter(None, [one.known.began])], default=one.until)


def _runs(one: Reckoning) -> list[Ran]:
    told = [*one.known.moments, *_trail(one)]
    if one.known.damaged:
        one.note(f"{one.known.damaged} lines of the journal could not be read, and are left out.")
    found = []
    runs = spending.runs(told)
    oldest = min((run.began for run in runs), default=one.until)
    one.asked = max(oldest, one.since, one.until - HISTORY) - timedelta(hours=1)
    for run in runs:
        seconds = spending.seconds(run, one.since, one.until)
        if not seconds:
            continue
        if run.unsure:
            one.note(
                f"{run.instance_id}: nobody saw the end of the run of {run.began:%Y-%m-%d %H:%M}; "
                "it is reckoned until the next start, so it is the most that it can be."
            )
        found.append(_ran(one, run, seconds))
    return found


def _ran(one: Reckoning, run: Run, seconds: float) -> Ran:
    machine = one.known.machine(run.instance_id, run.began)
    changes = _prices(one, machine, run) if machine else []
    spot = machine is not None and machine.market == "spot"
    dollars = spending.machine(run, changes, spot=spot, since=one.since, until=one.until)
    return Ran(
        instance_id=run.instance_id,
        instance_type=machine.instance_type if machine else None,
        zone=machine.zone if machine else None,
        market=machine.market if machine else None,
        began=run.began.isoformat(timespec="seconds"),
        ended=run.ended.isoformat(timespec="seconds") if run.ended else None,
        hours=round(seconds / 3600, 4),
        dollars=None if dollars is None else round(float(dollars), 6),
    )


def _trail(one: Reckoning) -> Sequence[spending.Moment]:
    """What CloudTrail knows of the machines, where it may be asked."""
    if one.way is None:
        return ()
    ids = {*one.known.machines, *one.record.instance_ids}
    first = one.until - HISTORY
    try:
        found = one.way.aws.moments(sorted(ids), first)
    except CloudsError as error:
        one.note(
            "Machine hours: by this computer's journal, and EC2's last start and stop of each "
            f"machine; what others did in between is not in it. CloudTrail: {error.message}"
        )
        return ()
    one.note(
        "Machine hours: by CloudTrail's events of 90 days, this computer's journal, and EC2's last "
        "start and stop of each machine."
    )
    return found


def _prices(one: Reckoning, machine: Machine, run: Run) -> list[Change]:
    """Of that type, sorted by time; the price that was seen at a start where there is no better."""
    key = (machine.instance_type, machine.zone, machine.market)
    if key not in one.prices:
        one.prices[key] = _asked(one, machine)
    if one.prices[key] or machine.hourly is None:
        return one.prices[key]
    if one.way is not None:
        one.note(f"{machine.instance_type}: at ${machine.hourly} an hour, as it was at its start.")
    return [spending.Change(run.began, Decimal(machine.hourly))]


def _asked(one: Reckoning, machine: Machine) -> list[Change]:
    if one.way is None:
        return []
    kind, zone, aws = machine.instance_type, machine.zone, one.way.aws
    try:
        if machine.market == "spot":
            first = one.asked or one.since
            one.note(
                "Spot hours: by the second, at the zone's price when each hour of a run began; an "
                "interruption within the first hour is free."
            )
            return aws.spot_changes(kind, zone, first, one.until)
        price = aws.hourly_price(kind, zone, "on-demand")
        one.note("On-demand hours: by the second, at today's list price.")
        return [] if price is None else [spending.Change(one.since, price)]
    except CloudsError as error:
        one.note(f"{kind}: its prices could not be asked. {error.message}")
        return []


def _kept(one: Reckoning, kind: str) -> Decimal:
    region = one.record.place.region
    held = [kept for kept in one.known.kept.values() if kept.kind == kind]
    if not held:
        return Decimal(0)
    if kind == "volume":
        one.note(f"Disks: gp3, {list_prices.basis(region)}, for the time that they were there.")
    elif kind == "snapshot":
        one.note("Snapshots: as if each held all blocks of its volume, so the most that it can be.")
    else:
        one.note("Address: $0.005 an hour since this computer first saw it; EC2 does not tell.")
    return sum(
        (
            spending.keeping(kept, _monthly(kept, region), since=one.since, until=one.until)
            for kept in held
        ),
        Decimal(0),
    )


def _monthly(kept: spending.Keeping, region: str) -> float:
    if kept.kind == "address":
        return list_prices.address_month()
    return list_prices.gib_month(kept.kind, region) * kept.gib


def _automatic(one: Reckoning, hours: float) -> float:
    """US dollars for addresses that come and go with the machine."""
    if one.record.settings.get("elastic_ip") is not False:
        return 0.0
    one.note("Address: $0.005 for each hour that the machine ran.")
    return hours * list_prices.ADDRESS_HOUR
