"""What `up` does before it asks: nothing in the account changes here."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wrapper import environment, module_copy, openssh, settings
from wrapper import password as passwords
from wrapper.deployment import (
    beginning,
    destroying,
    fallback,
    first_password,
    its_architecture,
    mending,
    moving,
    origins,
    own_certificate,
    place,
    providers,
    question,
    recording,
    restoring,
    space,
    ssh,
    volume_first,
)
from wrapper.deployment.data import VOLUME_TYPE
from wrapper.deployment.events import Note, Step, Warned
from wrapper.deployment.origins import Origin
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.aws import Facts
    from wrapper.certificate import Pair
    from wrapper.deployment.fallback import Candidate
    from wrapper.deployment.place import Way
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.settings import Settings
    from wrapper.terraform import Change, Plan, Terraform


_OF_THE_DISKS = ("ami_id", "data_snapshot_id", "data_volume_id", "data_volume_size")
"""Pinned in the record, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that is known before the question."""

    way: Way
    record: Record
    """As it will be remembered; not on disk yet."""
    fresh: bool
    facts: Facts
    pair: Pair | None
    terraform: Terraform
    plan: Plan | None
    """None for what does not exist yet: nothing can be lost, so it is planned while applied."""
    candidates: tuple[Candidate, ...]
    """The machine asked for, then those that the user allows in its place."""
    anew: tuple[str, ...] = ()
    """Addresses of what Terraform makes anew whatever it thinks of it."""
    give_up: threading.Event
    """Once it is set, Terraform is interrupted."""
    origin: Origin = field(default_factory=Origin)
    """What the data begins with."""
    max_price: float | None = None
    """US dollars an hour that any machine may cost."""
    stale: bool = False
    """Terraform has made another machine than the record names: its command was killed then."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What Terraform would do, as far as that was asked."""
        return self.plan.changes if self.plan else ()

    @property
    def nothing_to_do(self) -> bool:
        """Everything exists as it is wanted."""
        planned = self.plan is None or self.plan.changes or self.plan.outputs_change
        return not planned and bool(self.record.outputs) and not self.stale


def prepare(world: World, home: Home, wanted: Wanted, lock: int) -> Prepared:
    """The request was checked, the password kept, and what exists compared with it."""
    before = home.record()
    fresh = before is None or before.ended
    record_settings = {} if before is None or before.ended else before.settings
    asked = settings.check(wanted.settings.over(record_settings))
    pair = own_certificate.read(wanted, asked, before)
    space.need(home)
    bare = home.is_bare()
    with providers.on_their_way(world, home, lock):
        way, facts, candidates, record, origin = _look(world, home, wanted, asked, before)
        asked = settings.Settings().over(record.settings)
        if not bare:
            if fresh:
                home.empty()
            module_copy.write(home)
        _write(world, home, wanted, record, asked, way, fresh=fresh)
    give_up = threading.Event()
    terraform = world.terraform(
        home.path, environment=way.for_terraform(world), keep_open=(lock,), cancelled=give_up
    )
    terraform.init(say=lambda text: world.report(Note(text)))
    moving.go_on(home, terraform, record)
    if origin.volume and not fresh and not origin.taken_over:
        # Where a `down --data keep` was interrupted, the state may know it still.
        destroying.forget(terraform, home, [origin.volume.volume_id])
    restoring.spare(way, home, terraform)
    volume_first.take_over(way, home, origin.taken_over, left=moving.left(record))
    # What is taken over has somebody's work on it.
    plan = None if fresh and not volume_first.waiting(home) else _plan(world, terraform)
    restoring.refuse_loss(wanted.name, plan)
    if before and not fresh and plan and not question.machine_ends(plan.changes):
        _warn_of_the_ineffective(world, before, asked)
    return Prepared(
        way=way,
        record=record,
        fresh=fresh,
        facts=facts,
        pair=pair,
        terraform=terraform,
        plan=plan,
        candidates=candidates,
        give_up=give_up,
        origin=origin,
        max_price=wanted.max_price,
        stale=state.output(home.path, "instance_id") not in (None, record.instance_id),
    )


def _look(
    world: World, home: Home, wanted: Wanted, asked: Settings, before: Record | None
) -> tuple[Way, Facts, tuple[Candidate, ...], Record, Origin]:
    """The request can be met where it is wanted, and nobody else has the name there."""
    fresh = before is None or before.ended
    way = place.choose(world, local=wanted.local, region=wanted.region, before=before)
    if fresh and wanted.region is None:  # one that was typed may not exist
        recording.remember_place(home, way)
    world.report(Step(f"Checking the request in {way.place}"))
    facts = way.aws.check_request(fallback.request(asked, way.place.region))
    if before and not fresh and before.outputs.get("data_volume_id"):
        its_architecture.refuse_another(before, asked.instance_type or "It", facts)
    if asked.bucket and (warning := way.aws.check_bucket(asked.bucket)):
        world.report(Warned(warning))
    origin, asked = restoring.begin(world, way, wanted, asked, before)
    if fresh:
        its_architecture.refuse_for(world, origin, wanted, facts)
    zone = origin.volume.zone if origin.volume else None
    origins.refuse_elsewhere(origin, asked, facts.zones, wanted.name)
    if zone and not (origin.taken_over and asked.subnet_id):  # which may be in another: it moves
        there = way.aws.check_request(fallback.request(asked, way.place.region, zone=zone))
        facts = facts if origin.taken_over else there
    found = fallback.candidates(
        way.aws,
        asked,
        facts,
        data=_has_data(asked),
        now=zone or recording.zone(before, facts) or wanted.zone,
    )
    stays = zone and not origin.taken_over
    candidates = tuple(one for one in found if not stays or one.zone == zone)
    origins.say_where_it_stays(world, origin, asked, wanted.name)
    if useless := question.without_effect(asked):
        world.report(Warned(useless))
    if fresh:
        recording.remember_place(home, way)
    data = bool(state.managed(home.path, VOLUME_TYPE)) or bool(moving.left(before))
    record = recording.wished(before, wanted, way, asked, data=data)
    record = recording.own_cidr(world, record, asked)
    image = beginning.choose(world, way, wanted, asked, facts, before)
    record = dataclasses.replace(record, image=image)
    where = zone or wanted.zone
    if fresh and where and not asked.subnet_id and candidates[0].zone == where:
        # The module might take another one; should EC2 have none there, others may take its place.
        record = dataclasses.replace(record, chosen={"subnet_id": candidates[0].subnet_id})
    if fresh:
        mending.refuse_stranger(way, wanted.name)
    else:
        mending.mend(world, home, way, record)
    return way, facts, candidates, record, origin


def _warn_of_the_ineffective(world: World, before: Record, asked: Settings) -> None:
    now = asked.said()
    # Whether the certificate comes by port 80 or by the zone; the domain's own record follows.
    of_zone = ("zone_id",) if now.get("tls") == settings.LETSENCRYPT else ()
    once = (*settings.AT_FIRST_BOOT, *of_zone)
    changed = [one for one in once if now.get(one) != before.settings.get(one)]
    if changed:
        options = ", ".join(f"--{one.replace('_', '-')}" for one in changed)
        world.report(
            Warned(
                f"{options}: for the machine's first boot, which is over. To take effect, a new "
                f"machine (what is on its disk is gone): python -m wrapper up {before.name} "
                "--replace"
            )
        )


def _plan(world: World, terraform: Terraform) -> Plan:
    world.report(Step("Planning with Terraform"))
    plan = terraform.plan()
    for warning in plan.warnings:
        world.report(Warned(warning))
    return plan


def allowed(record: Record) -> tuple[str, ...]:
    """Who may reach the notebook: whom the user named, and the user."""
    named = tuple(record.settings.get("allow") or ())
    own = (record.own_cidr,) if record.own_cidr and record.own_cidr not in named else ()
    return named + own


def variables(record: Record, asked: Settings, kept: dict[str, Any]) -> dict[str, Any]:
    """The module's variables; `kept` are those that were not asked for here."""
    values = asked.variables(name=record.name, generation=record.generation)
    asked_anew = (*fallback.OF_THE_MACHINE, *_OF_THE_DISKS)
    kept = {key: value for key, value in kept.items() if key not in asked_anew}
    if record.image and asked.ami_id is None:
        values["ami_id"] = record.image
    found = {**kept, **values, **record.chosen, "allowed_cidrs": list(allowed(record))}
    return {**found, **ssh.reach(asked.ssh, asked.ssh_cidrs, allowed(record))}


def _has_data(asked: Settings) -> bool:
    """A data volume is wanted."""
    return asked.data_volume_size != 0 or asked.data_volume_id is not None


def _write(  # noqa: PLR0913, PLR0917 (all that the directory is made of)
    world: World,
    home: Home,
    wanted: Wanted,
    record: Record,
    asked: Settings,
    way: Way,
    *,
    fresh: bool,
) -> None:
    kept = {} if fresh else home.variables()
    kept |= environment.terraform_variables(way.local)
    hash_kept = "password_hash" in kept
    chosen = first_password.choose(world, home, wanted, way, hash_kept=hash_kept)
    if chosen is not None:
        passwords.check_strength(chosen, related=[record.name, asked.owner or ""])
        home.write_password(chosen)
        kept["password_hash"] = passwords.hash_password(chosen)
    if (asked.ssh or asked.session_manager) and not asked.ssh_public_key:
        kept["ssh_public_key"] = openssh.public_key(ssh.folder(home))
    home.write_variables(variables(record, asked, kept))
