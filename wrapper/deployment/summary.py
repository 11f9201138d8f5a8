"""One deployment as `up`, `status` and `list` tell it. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wrapper import hours

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.home import Record


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The document of `--json`; its field names are a contract (DESIGN, section 3)."""

    name: str
    url: str | None
    state: str
    """Of the machine as EC2 tells it; "absent" when there is none."""
    region: str
    zone: str | None
    instance_id: str | None
    instance_type: str | None
    market: str | None
    certificate_sha256: str | None
    key_sha256: str | None
    data_volume_id: str | None
    hourly_price: float | None
    """US dollars; None when EC2 does not tell it."""
    seconds: dict[str, float] = field(default_factory=dict)
    idle_minutes: float = hours.IDLE_MINUTES
    """As was asked for; what the machine knows is told by `status`. 0 is never."""
    max_hours: float = hours.MAX_HOURS
    """Likewise."""
    place: str = "aws"
    """aws or local."""
    account: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def following(record: Record, instance: Instance | None) -> Record:
    """The record, with the address that the machine has had since its last start.

    Without an Elastic IP it is another one each time; Terraform sees it at its next refresh.
    """
    before, now = record.outputs.get("public_ip"), instance.public_ip if instance else None
    if not before or not now or before == now:
        return record
    url = str(record.outputs.get("url", "")).replace(f"//{before}:", f"//{now}:")
    return dataclasses.replace(record, outputs={**record.outputs, "public_ip": now, "url": url})


def summarise(record: Record, instance: Instance | None) -> Summary:
    """What is remembered, and over it what EC2 says now."""
    outputs = following(record, instance).outputs
    return Summary(
        name=record.name,
        url=outputs.get("url"),
        state=instance.state if instance else "absent",
        region=record.place.region,
        zone=instance.zone if instance else outputs.get("availability_zone"),
        instance_id=record.instance_id,
        instance_type=instance.instance_type if instance else outputs.get("instance_type"),
        market=instance.market if instance else outputs.get("market"),
        certificate_sha256=record.certificate_sha256,
        key_sha256=record.key_sha256,
        data_volume_id=outputs.get("data_volume_id"),
        hourly_price=float(record.hourly_price) if record.hourly_price else None,
        seconds=record.seconds,
        idle_minutes=record.settings.get("idle_minutes", hours.IDLE_MINUTES),
        max_hours=record.settings.get("max_hours", hours.MAX_HOURS),
        place=record.place.kind,
        account=record.place.account,
    )
