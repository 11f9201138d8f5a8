"""From a machine that exists to a notebook that answers: pinned, logged in, a cell run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper.deployment import awake, coming_back, logging_in, remembering, ssh, verify
from wrapper.deployment.events import Checked, Note, Step
from wrapper.deployment.summary import Summary, following, summarise
from wrapper.errors import CloudsError, NoAnswerError

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.certificate import Pair
    from wrapper.deployment.going import Going
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Pin


@dataclasses.dataclass(frozen=True)
class Up:
    """What `up` or `start` came to."""

    summary: Summary
    changed: bool
    """False: it was already so."""


def answer(going: Going, record: Record) -> Up:
    """From a machine that exists to a cell that ran."""
    world, home, way = going.world, going.home, going.way
    running = _running(going, record)
    found = running.found
    changed = not going.untouched or running.started
    going.watch.follow(found.instance_id)
    if going.untouched and not record.verified:
        _try_again(going, found)
    record, pin = _verified(going, record, found)
    if going.pair:
        record, changed = _serve_own(world, home, record, pin, going.pair), True
    going.meter.mark("total")
    price = way.aws.hourly_price(found.instance_type, found.zone, found.market)
    record = home.remember(
        dataclasses.replace(
            record,
            verified=True,
            seconds=record.seconds or going.meter.seconds,
            hourly_price=None if price is None else str(price),
        )
    )
    remembering.see(world, way, home, record)
    ssh.follow(home, found.public_ip)
    return Up(summarise(record, found), changed)


@dataclasses.dataclass(frozen=True)
class _Running:
    found: Instance
    started: bool


def _running(going: Going, record: Record) -> _Running:
    """The machine runs, and its metadata wants a token. NoAnswerError when there is none."""
    world, aws = going.world, going.way.aws
    found = awake.machine(going.way, record)
    if found is None or found.state in ("shutting-down", "terminated"):
        raise awake.asleep(going.way, record, found)
    started = found.state in ("stopped", "stopping")
    if started:
        coming_back.refuse_to_start(going.way, record)
        world.report(Step(f"Starting the machine {found.instance_id}"))
        aws.start_instance(found.instance_id)
    if not found.imdsv2_required:
        aws.require_imdsv2(found.instance_id)
    profile = record.outputs.get("instance_profile")
    # Terraform gives a spot machine its role with the request alone.
    if profile and aws.give_profile(found.instance_id, str(profile)):
        world.report(Note(f"{found.instance_id} has the role {profile} from now on"))
    return _Running(aws.instance(found.instance_id) or found, started)


def _try_again(going: Going, found: Instance) -> None:
    """A boot of before that failed was begun again: its phases converge at every start."""
    world, watch, aws = going.world, going.watch, going.way.aws
    watch.look()
    if not watch.failures:
        return
    failed = watch.failures[0].name
    world.report(Step(f"Restarting {found.instance_id}, whose phase {failed} has failed"))
    watch.forgive()
    aws.stop_instance(found.instance_id)
    aws.start_instance(found.instance_id)


def _verified(going: Going, record: Record, found: Instance) -> tuple[Record, Pin]:
    """Pinned, logged in, a cell run: now, or while Terraform worked."""
    where = verify.address(record, found.public_ip)
    pin = going.early.pin(found.instance_id, where)
    if pin is None or record.key_sha256 not in (None, pin.key_sha256):
        pin = _pin(going, record, found)
        verify.log_in_and_compute(going.world, going.home, where, pin)
        going.meter.mark("answering")
    pinned = dataclasses.replace(
        following(record, found),
        key_sha256=pin.key_sha256,
        certificate_sha256=pin.certificate_sha256,
    )
    return pinned, pin


def _pin(going: Going, record: Record, found: Instance) -> Pin:
    world, watch = going.world, going.watch
    world.report(Step(f"Waiting for the notebook on {found.instance_id}"))
    key = record.key_sha256
    if key is None:
        key = verify.wait_for_fingerprint(watch)
        world.report(verify.shown(key))
    pin = verify.wait_for_answer(world, watch, verify.address(record, found.public_ip), key)
    world.report(verify.pinned(pin))
    return pin


def _serve_own(world: World, home: Home, record: Record, pin: Pin, pair: Pair) -> Record:
    """The notebook shows the user's certificate, and that is the pin from now on."""
    world.report(Step("Handing over your certificate"))
    where = verify.address(record)
    with logging_in.logged_in(world, home, where, pin) as notebook:
        notebook.set_certificate(pair.certificate, pair.private_key)
    own = home.remember(
        dataclasses.replace(
            record,
            certificate_for=record.settings.get("domain") or record.outputs.get("public_ip"),
            key_sha256=pair.fingerprints.key_sha256,
            certificate_sha256=pair.fingerprints.certificate_sha256,
        )
    )
    try:
        world.look_whose(verify.address(own), pair.fingerprints.key_sha256)
    except CloudsError as error:
        world.report(Checked("certificate", ok=False, detail=error.message))
        raise NoAnswerError(
            f"Your certificate is served, but it could not be seen: {error.message}",
            hint=f"If {verify.address(own).host} does not lead to "
            f"{record.outputs.get('public_ip')} yet: make it, then python -m wrapper check",
        ) from error
    world.report(Checked("certificate", ok=True, detail="yours is shown"))
    return own
