"""What `up` is about to do, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import list_prices
from wrapper.errors import RequestError
from wrapper.gpus import nvidia
from wrapper.hours import MAX_HOURS
from wrapper.settings import DEFAULT_TYPE, LETSENCRYPT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from wrapper.aws import Facts, Market
    from wrapper.home import Record
    from wrapper.settings import Settings
    from wrapper.terraform import Change, Plan

# The module's defaults: variables.tf.
ROOT_GIB, ROOT_GIB_GPU, DATA_GIB = 30, 125, 50
NEW = "machine, address, security group, rules, and a bucket for programs: made"
MACHINE_TYPES = ("aws_instance", "aws_spot_instance_request")


def market(record: Record) -> Market:
    """The one that was asked for, or chosen where EC2 did not have that."""
    spot = record.chosen.get("spot", record.settings.get("spot"))
    return "spot" if spot else "on-demand"


def instance_type(record: Record) -> str:
    """The one that was asked for or chosen, or the module's default."""
    asked = record.settings.get("instance_type") or DEFAULT_TYPE
    return str(record.chosen.get("instance_type", asked))


def machine_ends(changes: Sequence[Change]) -> bool:
    """The running machine would be ended (and perhaps another one made)."""
    return any(
        change.type in MACHINE_TYPES and change.action in ("delete", "replace")
        for change in changes
    )


def describe(  # noqa: PLR0913 (each is a line)
    record: Record,
    plan: Plan | None,
    facts: Facts,
    price: Decimal | None,
    allowed: tuple[str, ...],
    *,
    data: str | None = None,
    data_gib: int | None = None,
) -> str:
    """Several lines; the last is not yet the question."""
    size = f"{facts.vcpus} vCPUs, {facts.memory_mib / 1024:.3g} GiB, {facts.architecture}"
    lines = [
        f"{record.name}, in {record.place}",
        f"  machine      {instance_type(record)}, {market(record)}: {size}",
        f"  price        {price_text(price, market(record))}",
        *_over_time(record, price, data_gib),
        *([f"  data         {data}"] if data else []),
        f"  let in       {', '.join(allowed) or 'nobody'}",
        *_role(record),
        f"  Terraform    {_counts(plan.changes) if plan else NEW}",
    ]
    if plan and machine_ends(plan.changes) and record.instance_id:
        data = record.outputs.get("data_volume_id")
        fate = f"what is on the data volume {data} stays, what is on" if data else "what is on"
        lines.append(f"  The machine {record.instance_id} is replaced: {fate} its disk is gone.")
    return "\n".join(lines)


def without_effect(asked: Settings) -> str | None:
    """What was asked for and changes nothing as things are; None when there is no such thing."""
    if asked.spot or asked.on_interruption in (None, "stop"):
        return None
    return (
        f"--on-interruption {asked.on_interruption} is for spot machines: EC2 never interrupts an "
        "on-demand one"
    )


def _role(record: Record) -> list[str]:
    """What the machine may do in AWS, where that is anything."""
    told = record.settings
    bucket = told.get("bucket")
    may = [f"read and write s3://{bucket}"] if bucket else []
    may += ["speak to AWS's Session Manager"] if told.get("session_manager") else []
    if told.get("tls") == LETSENCRYPT and (zone := told.get("zone_id")):
        may.append(f"write _acme-challenge.{told.get('domain')} in the zone {zone}")
    return [f"  role         may {', '.join(may)}"] if may else []


def price_text(price: Decimal | None, of_market: str) -> str:
    """For a person."""
    if price is None:
        where = "https://aws.amazon.com/ec2/pricing/on-demand/"
        return f"{of_market}: EC2 does not tell; see {where}"
    return f"${price.normalize():f} an hour now ({of_market})"


def too_dear(price: Decimal | None, most: float | None) -> RequestError | None:
    """Why `--max-price` refuses; None when it does not."""
    if most is None or (price is not None and float(price) <= most):
        return None
    if price is None:
        return RequestError(
            "EC2 does not tell this machine's price, so --max-price cannot be kept.",
            hint="Leave --max-price out, or allow pricing:GetProducts: docs/aws.md",
        )
    return RequestError(
        f"It costs ${price.normalize():f} an hour, more than --max-price {most:g}.",
        hint=f"--max-price {float(price) * 1.05:.3f}, or look for less: python -m wrapper offers",
    )


def _over_time(record: Record, price: Decimal | None, data_gib: int | None) -> list[str]:
    """What comes on top, and what it adds up to; a volume or snapshot that exists has its size."""
    told = record.settings.get
    root = told("root_volume_size") or (ROOT_GIB_GPU if nvidia(instance_type(record)) else ROOT_GIB)
    size = told("data_volume_size")
    data = max(data_gib or 0, int(size or 0)) if size is not None or data_gib else DATA_GIB
    on_top = list_prices.ADDRESS_HOUR + (
        list_prices.month("volume", int(root) + data, record.place.region) / list_prices.MONTH_HOURS
    )
    lines = [f"  on top       ${on_top:.3f} an hour, by list price, for disks and address"]
    if price is not None:
        hourly = float(price) + on_top
        said = told("max_hours")
        hours = MAX_HOURS if said is None else float(said)
        most = f", ${hourly * hours:.2f} in the {hours:g} hours that it runs at most" * bool(hours)
        lines.append(f"  together     ${hourly * 24:.2f} a day{most}")
    return lines


def _counts(changes: Sequence[Change]) -> str:
    names = {"create": "made", "update": "changed", "replace": "replaced", "delete": "removed"}
    counts = dict.fromkeys(names.values(), 0)
    for change in changes:
        if change.action in names:
            counts[names[change.action]] += 1
    said = [f"{count} {word}" for word, count in counts.items() if count]
    return ", ".join(said) or "nothing to change"
