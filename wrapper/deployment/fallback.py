"""Which machines may be tried, in the order that the user allows; known before anything is made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapper.aws.model import Request
from wrapper.errors import RequestError
from wrapper.market_settings import ON_DEMAND, ZONE
from wrapper.settings import DEFAULT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.aws import Aws, Facts
    from wrapper.home import Record
    from wrapper.refusals import Refusal
    from wrapper.settings import Settings


OF_THE_MACHINE = ("instance_type", "market", "spot", "subnet_id")
"""Who asks for another one of these does not mean what EC2 had in the place of the last."""
_OF_THE_PLACE = ("data_snapshot_id", "subnet_id")


@dataclass(frozen=True)
class Candidate:
    """One machine that could be made."""

    instance_type: str
    spot: bool
    zone: str
    subnet_id: str

    def __str__(self) -> str:
        return f"{self.instance_type}, {'spot' if self.spot else 'on-demand'}, in {self.zone}"

    def variables(self, asked: Settings, *, subnet_id: str | None) -> dict[str, Any]:
        """The module's variables that make it; `subnet_id`: null leaves the deployment in place."""
        return {
            "instance_type": self.instance_type,
            "spot": self.spot,
            "subnet_id": asked.subnet_id or subnet_id,
        }


def request(asked: Settings, region: str, *, zone: str | None = None) -> Request:
    """As the EC2 adapter checks it; with a zone, nowhere else."""
    return Request(
        region=region,
        instance_type=asked.instance_type or DEFAULT_TYPE,
        ami_id=asked.ami_id,
        subnet_id=asked.subnet_id,
        spot=bool(asked.spot),
        zone=zone,
    )


def still_chosen(
    before: Record, now: dict[str, Any], *, replace: bool, data: bool
) -> dict[str, Any]:
    """What was chosen earlier and still holds, with what is asked for now.

    What was tried for a machine that never came is no choice; but where there is `data`, a volume
    that Terraform has or is to take over, a machine stays with it.
    """
    asked = [one for one in OF_THE_MACHINE if now.get(one) != before.settings.get(one)]
    if not before.instance_ids and not data:
        return {}
    anew = asked or replace or not before.instance_ids
    kept = _OF_THE_PLACE if anew else tuple(before.chosen)
    return {
        key: value
        for key, value in before.chosen.items()
        if key in kept and not (key == "subnet_id" and key in asked)
    }


def candidates(
    aws: Aws, asked: Settings, facts: Facts, *, data: bool, now: str | None = None
) -> tuple[Candidate, ...]:
    """What was asked for, then what the user allows in its place. RequestError: a type that cannot.

    `data`: a data volume has to be found by its id, and its environments have to run. `now` is the
    zone where the deployment stands; without one it is the zone that the module would take.
    """
    of_type = {asked.instance_type or DEFAULT_TYPE: facts}
    for one in asked.fallbacks:
        if one not in (ZONE, ON_DEMAND):
            of_type[one] = _other(aws, asked, one, facts, data=data)
    return tuple(dict.fromkeys(_in_turn(aws, asked, of_type, now)))


def _in_turn(
    aws: Aws, asked: Settings, of_type: dict[str, Facts], now: str | None
) -> Iterator[Candidate]:
    kind, spot = asked.instance_type or DEFAULT_TYPE, bool(asked.spot)
    everywhere = False
    yield from _here(kind, of_type[kind], spot=spot, zone=now)
    for one in asked.fallbacks:
        if one == ZONE:
            everywhere = True
            yield from _all(kind, of_type[kind], spot=spot)
            continue
        chosen, bought = (kind, False) if one == ON_DEMAND else (one, spot)
        facts = of_type[chosen]
        if bought != spot:
            of_market = dataclasses.replace(asked, spot=bought, instance_type=chosen)
            facts = aws.check_request(request(of_market, aws.region))
        yield from _here(chosen, facts, spot=bought, zone=now)
        if everywhere:
            yield from _all(chosen, facts, spot=bought)


def _here(kind: str, facts: Facts, *, spot: bool, zone: str | None) -> Iterator[Candidate]:
    """In the deployment's zone, or where the module would put it: its first subnet by id."""
    if zone is None or zone not in facts.subnets:
        zone = min(facts.subnets, key=lambda one: facts.subnets[one])
    yield Candidate(kind, spot, zone, facts.subnets[zone])


def _all(kind: str, facts: Facts, *, spot: bool) -> Iterator[Candidate]:
    for zone, subnet_id in facts.subnets.items():
        yield Candidate(kind, spot, zone, subnet_id)


def _other(aws: Aws, asked: Settings, kind: str, facts: Facts, *, data: bool) -> Facts:
    """The facts of a type that may take the place of the one asked for. RequestError: it cannot."""
    wanted = dataclasses.replace(asked, instance_type=kind)
    found = aws.check_request(request(wanted, aws.region))
    first = asked.instance_type or DEFAULT_TYPE
    hint = "Another type in --fallback, or --fallback none"
    if found.vcpus < facts.vcpus or found.memory_mib < facts.memory_mib:
        raise RequestError(
            f"--fallback {kind} is smaller ({_size(found)}) than {first} ({_size(facts)}).",
            hint=hint,
        )
    if found.gpus < facts.gpus or (facts.gpus and found.gpu_memory_gib < facts.gpu_memory_gib):
        raise RequestError(
            f"--fallback {kind} has {_gpus(found)}, {first} has {_gpus(facts)}.", hint=hint
        )
    if found.architecture != facts.architecture:
        raise RequestError(
            f"--fallback {kind} is {found.architecture}, {first} is {facts.architecture}: your "
            "environments would not run on it.",
            hint=hint,
        )
    if data and not found.nitro:
        raise RequestError(
            f"--fallback {kind} is of the Xen generation, which shows a data volume's id to "
            "nobody inside.",
            hint=hint,
        )
    return found


def _gpus(facts: Facts) -> str:
    many = f"{facts.gpus} NVIDIA GPU{'s' * (facts.gpus > 1)}"
    return f"{many} of {facts.gpu_memory_gib:.3g} GiB" if facts.gpus else "no NVIDIA GPU"


def _size(facts: Facts) -> str:
    return f"{facts.vcpus} vCPUs, {facts.memory_mib / 1024:.3g} GiB"


def may_help(refusal: Refusal | None, refused: Candidate, other: Candidate) -> bool:
    """The other one differs in something that the refusal hangs on."""
    if refusal is None:
        return False
    ways = refusal.elsewhere
    return (
        (refused.zone != other.zone and "zone" in ways)
        or (refused.instance_type != other.instance_type and "type" in ways)
        or (refused.spot and not other.spot and "on-demand" in ways)
    )
