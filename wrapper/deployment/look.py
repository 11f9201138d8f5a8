"""`status` and `check`: what is there, and whether it answers. Nothing changes."""

from __future__ import annotations

import contextlib
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wrapper import console, refusals
from wrapper.deployment import (
    awake,
    coming_back,
    disk,
    gpu,
    guarding,
    logging_in,
    monthly,
    place,
    remembering,
    verify,
)
from wrapper.deployment.events import Checked, Warned
from wrapper.deployment.monthly import Resting
from wrapper.deployment.summary import Summary, following, summarise
from wrapper.errors import (
    CloudsError,
    FailedError,
    FingerprintError,
    NoAnswerError,
    UnknownDeploymentError,
)
from wrapper.home import Home, homes, root
from wrapper.settings import check_name

if TYPE_CHECKING:
    from wrapper.console import Phase
    from wrapper.deployment.disk import Disk
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import Address, World
    from wrapper.home import Record
    from wrapper.notebook import Autostop, CloudsStatus, Pin, Run

_SOON = 2.0
"""Seconds: `status` is no place to wait."""


@dataclass(frozen=True, kw_only=True)
class Status(Resting):
    """A summary, and how far the machine is."""

    answers: bool = False
    phases: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name: state, seconds, error."""
    environment: str | None = None
    """State of the user's environment: running, done or failed; None when not known."""
    spot_request: str | None = None
    """State and status of the spot request, and what they mean."""
    waits_for_ec2: bool = False
    """EC2 took its machine back, and alone can start it."""
    state_reason: str | None = None
    reach: tuple[str, ...] = ()
    """Who is let in."""
    disk: Disk | None = None
    """That of the work folder; None when the notebook does not tell."""
    guard: str | None = None
    """How AWS ends its hours where the machine does not, or why not."""
    autostop: Autostop | None = None
    """When the machine stops by itself; None when the notebook does not tell."""
    runs: tuple[Run, ...] = ()
    """What runs unattended."""


def known(world: World, name: str) -> tuple[Home, Record]:
    """A deployment of this computer. UnknownDeploymentError lists those there are."""
    home = Home(root(world.environment) / check_name(name))
    record = home.record()
    if record is None or record.ended:
        names = [one.name for one in homes(world.environment) if alive(one)]
        there = f"There is: {', '.join(names)}." if names else "There is none."
        raise UnknownDeploymentError(
            f"No deployment {name} on this computer. {there}",
            hint=f"Make it: python -m wrapper up {name}",
        )
    return home, record


_GUARDED = ("pending", "running", "stopping", "stopped")
"""States of a machine that may still run, or run again."""


def status(world: World, name: str) -> Status:
    """One deployment in full. LocalError, CredentialsError when nobody can be asked."""
    home, record = known(world, name)
    way = place.back_to(world, record)
    with ThreadPoolExecutor(max_workers=3) as pool:
        answer = pool.submit(_ask_notebook, world, home, record)
        costs = pool.submit(monthly.of, way, [record])
        instance = way.aws.instance(record.instance_id) if record.instance_id else None
        request = coming_back.machines_request(way, record)
        own = answer.result()
        if own is None and following(record, instance) != record:
            own = _ask_notebook(world, home, following(record, instance))
    if instance:
        remembering.observe(home, record, instance)
        remembering.hear(world, home, instance, own.autostop if own else None)
    if own is None and instance and instance.state in ("pending", "running"):
        told = _from_console(way, instance.instance_id)
    else:
        told = _phases(own) if own else {}
    return Status(
        **dataclasses.asdict(summarise(record, instance)),
        monthly=costs.result()[record.name],
        answers=own is not None,
        phases=told,
        environment=told.get("environment", {}).get("state"),
        spot_request=refusals.in_words(request.state, request.status) if request else None,
        waits_for_ec2=awake.is_taken(way, record, instance),
        state_reason=instance.state_reason if instance else None,
        reach=tuple(home.variables().get("allowed_cidrs", ())),
        disk=disk.of(record, own) if own else None,
        autostop=own.autostop if own else None,
        runs=own.runs if own else (),
        guard=guarding.in_words(record.guard, own.autostop if own else None)
        if instance and instance.state in _GUARDED
        else None,
    )


def console_text(world: World, name: str) -> str:
    """What the machine wrote to its console."""
    _, record = known(world, name)
    if record.instance_id is None:
        raise NoAnswerError(f"{name} has no machine.", hint=f"python -m wrapper up {name}")
    return place.back_to(world, record).aws.console(record.instance_id)


def check(world: World, name: str) -> Summary:
    """TLS, fingerprint, login, kernel, GPUs and disk were verified again, each reported on its own.

    NoAnswerError, or one of its kind, for the first that does not hold; FailedError: a full disk.
    """
    home, record = known(world, name)
    way = place.back_to(world, record)
    found = awake.running(way, record)
    where = verify.address(record, found.public_ip)
    with verify.checked(world, "TLS"):
        key = record.key_sha256 or _console_key(way, found.instance_id)
        pin = world.look_whose(where, key)
    world.report(Checked("TLS", ok=True, detail=f"1.2 or newer, {where.url}"))
    with verify.checked(world, "fingerprint"):
        told = _same_key(way, record, found.instance_id, key)
    world.report(Checked("fingerprint", ok=True, detail=f"{pin.certificate_sha256} ({told})"))
    verify.log_in_and_compute(world, home, where, pin)
    gpu.check(world, home, record, where, pin)
    _check_disk(world, home, record, where, pin)
    record = dataclasses.replace(
        record, key_sha256=pin.key_sha256, certificate_sha256=pin.certificate_sha256, verified=True
    )
    return summarise(home.remember(record), found)


def alive(home: Home) -> Record | None:
    """What is remembered of a deployment that is not down."""
    record = home.record()
    return None if record is None or record.ended else record


def _ask_notebook(world: World, home: Home, record: Record) -> CloudsStatus | None:
    """What the machine tells of itself; None when the notebook does not answer."""
    if record.key_sha256 is None or not record.outputs.get("public_ip"):
        return None
    try:
        where = verify.address(record)
        pin = world.look_whose(where, record.key_sha256, timeout=_SOON)
        with logging_in.logged_in(world, home, where, pin, timeout=_SOON) as notebook:
            told = notebook.clouds_status()
            with contextlib.suppress(NoAnswerError):
                told = dataclasses.replace(told, autostop=notebook.autostop())
                there = notebook.runs.all() or []
                told = dataclasses.replace(told, runs=tuple(one for one in there if one.going))
            return told
    except CloudsError:
        return None


def _phases(told: CloudsStatus) -> dict[str, dict[str, Any]]:
    return {name: dataclasses.asdict(phase) for name, phase in told.phases.items()}


def _check_disk(world: World, home: Home, record: Record, where: Address, pin: Pin) -> None:
    """There is room to save. FailedError when there is none."""
    with logging_in.logged_in(world, home, where, pin) as notebook:
        found = disk.of(record, notebook.clouds_status())
    if found is None:
        return
    world.report(Checked("disk", ok=found.state != "full", detail=found.words))
    if found.state == "full":
        raise FailedError(f"{record.name} answers, but can save nothing.", hint=found.hint)
    if found.hint:
        world.report(Warned(f"The disk is {found.state}. More room: {found.hint}"))


def _from_console(way: Way, instance_id: str) -> dict[str, dict[str, Any]]:
    return {
        phase.name: {"state": phase.state, "seconds": phase.seconds, "error": _error(phase)}
        for phase in console.parse(way.aws.console(instance_id)).phases
    }


def _error(phase: Phase) -> str | None:
    return "\n".join(phase.log) or f"exit {phase.exit}" if phase.state == "failed" else None


def _console_key(way: Way, instance_id: str) -> str:
    fingerprint = console.parse(way.aws.console(instance_id)).fingerprint
    if fingerprint is None:
        raise FingerprintError(
            f"The console of {instance_id} shows no fingerprint (yet).",
            hint="python -m wrapper up, which waits for it",
        )
    return fingerprint.key_sha256


def _same_key(way: Way, record: Record, instance_id: str, key: str) -> str:
    """What the key was compared with. FingerprintError when the console shows another."""
    if record.certificate_for:
        return "your certificate's"
    fingerprint = console.parse(way.aws.console(instance_id)).fingerprint
    if fingerprint is None:
        return "as first seen; no longer on the console"
    if fingerprint.key_sha256 != key:
        raise FingerprintError(
            f"The console of {instance_id} shows the key {fingerprint.key_sha256}, "
            f"the notebook has {key}.",
            hint="Do not type your password there. Replace the machine: "
            "python -m wrapper up --replace",
        )
    return "as on the console"
