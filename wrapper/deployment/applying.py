"""A plan applied while its machine is watched; and what is done when that fails."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import TYPE_CHECKING

from wrapper import refusals
from wrapper.aws.model import Leftover
from wrapper.deployment import saving, volume_first
from wrapper.deployment.events import Note, Progress, Step, Warned
from wrapper.deployment.hands import Hands
from wrapper.deployment.question import machine_ends
from wrapper.deployment.requests import Requests
from wrapper.errors import CloudsError, Interrupted, TerraformError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from wrapper.deployment.going import Going
    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.progress import Meter
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.terraform import Applying

_IN_USE = "VolumeInUse"


def apply(going: Going, ready: Prepared) -> Record:
    """What was planned exists, and the record names it. Interrupted, TerraformError.

    A failed one leaves no spot request that could still bring a machine.
    """
    world, home, meter, watch = going.world, going.home, going.meter, going.watch
    record = home.remember(ready.record)
    ready = make_way(world, ready)
    world.report(Step("Terraform applies it"))
    world.report(Progress(0, 0, "Terraform plans"))
    ready.give_up.clear()
    requests = Requests(
        world.aws_like(ready.way), record.name, ready.give_up, ignore=record.request_ids
    )
    try:
        with volume_first.made(world, home, ready) as volume_id:
            hands = Hands(
                world.aws_like(ready.way),
                record.name,
                volume_id=volume_id,
                ignore=machines_of_before(ready),
            )
            with watch.in_background(requests.look), _early(going, ready), hands.in_background():
                _apply_twice(world, ready, meter, hands)
    except (CloudsError, KeyboardInterrupt) as error:
        if ready.fresh and isinstance(error, UsageError):
            if not volume_first.waiting(home):
                home.end(record)  # Terraform refused the request before it made anything
            raise
        ready.give_up.clear()
        _after_failure(world, home, ready.way, record)
        if isinstance(error, Interrupted) and requests.refusal:
            raise refusals.error(requests.refusal) from error
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                f"Interrupted. {what_exists(ready.way, record.name)}", hint=ways_on(record)
            ) from error
        if isinstance(error, Interrupted):
            message = f"{error.message}\n{what_exists(ready.way, record.name)}"
            raise Interrupted(message, hint=ways_on(record)) from error
        raise
    meter.mark("terraform")
    return _with_ids(home, ready.way, with_outputs(record, ready.terraform.outputs()))


def _early(going: Going, ready: Prepared) -> AbstractContextManager[None]:
    """Of a certificate of the user's own nothing can be seen before it is handed over."""
    if going.pair:
        return nullcontext()
    aws = going.world.aws_like(ready.way)
    return going.early.in_background(going.world, going.home, aws, going.watch, going.meter)


def _apply_twice(world: World, ready: Prepared, meter: Meter, hands: Hands) -> None:
    """Terraform may have wanted to attach the very volume at the same moment."""
    try:
        _apply(world, ready, meter, hands)
    except TerraformError as error:
        if hands.attached is None or _IN_USE not in error.message:
            raise
        world.report(Note(f"{hands.attached} was attached already: Terraform goes on."))
        _apply(world, dataclasses.replace(ready, plan=None, anew=()), meter, hands)


def _apply(world: World, ready: Prepared, meter: Meter, hands: Hands) -> None:
    def step(event: Applying) -> None:
        hands.heard(event)
        meter.terraform(event)

    if ready.plan:
        for change in ready.plan.changes:
            meter.expect(change)
        # Without any, there is no plan to apply: the last `up` ended before it read the outputs.
        if ready.plan.changes or ready.plan.outputs_change:
            ready.terraform.apply(step)
        return
    warnings = ready.terraform.plan_and_apply(step, on_change=meter.expect, replace=ready.anew)
    for warning in warnings:
        world.report(Warned(warning))


def machines_of_before(ready: Prepared) -> tuple[str, ...]:
    """Machines that exist already, also those of an interrupted `up` that no output names."""
    if ready.fresh:
        return ()
    return tuple(one.instance_id for one in ready.way.aws.find_instances(ready.record.name))


def make_way(world: World, ready: Prepared) -> Prepared:
    """At most one machine runs: those to be replaced are stopped first, cleanly.

    One that cannot be stopped, or that EC2 would start again meanwhile, is ended: that is a
    shutdown as well, and what was planned is no more.
    """
    for old in machines_of_before(ready) if machine_ends(ready.changes) else ():
        found = ready.way.aws.instance(old)
        if found is None or found.state in saving.GONE:
            continue
        if saving.can_rest(ready.way, found) and found.state != "stopped":
            world.report(Step(f"Stopping the machine of before, {old}"))
            ready.way.aws.stop_instance(old)
        if not saving.can_rest(ready.way, found):
            world.report(Step(f"Ending the machine of before, {old}, which cannot rest"))
            ready.way.aws.end_machines(ready.record.name, instance_ids=[old])
            ready = dataclasses.replace(ready, plan=None)
    return ready


def with_outputs(record: Record, outputs: dict[str, object]) -> Record:
    """The record with Terraform's outputs; another machine has another key."""
    public = {key: value for key, value in outputs.items() if key != "password"}
    if public.get("instance_id") == record.instance_id:
        return dataclasses.replace(record, outputs=public)
    return dataclasses.replace(
        record,
        outputs=public,
        key_sha256=None,
        certificate_sha256=None,
        certificate_for=None,
        verified=False,
        seconds={},
    )


def what_exists(way: Way, name: str) -> str:
    """One line a person can act on; never fails."""
    try:
        found = way.aws.leftovers(name)
    except CloudsError as error:
        return f"What exists could not be looked up: {error.message}"
    if not found:
        return "Nothing of it exists yet."
    return "What exists: " + ", ".join(f"{one.kind} {one.id} ({one.detail})" for one in found)


def ways_on(record: Record) -> str:
    """The two commands after an interruption."""
    return (
        f"Go on: python -m wrapper up {record.name}. End it: python -m wrapper down {record.name}"
    )


def _after_failure(world: World, home: Home, way: Way, record: Record) -> None:
    """What came into being is remembered, and no request is left that has no machine."""
    try:
        _with_ids(home, way, record)
        for one in way.aws.find_spot_requests(record.name):
            if one.state == "open" and one.instance_id is None:
                way.aws.remove(Leftover("request", one.request_id, one.status))
                world.report(Warned(f"The open spot request {one.request_id} is cancelled."))
    except CloudsError as error:
        world.report(
            Warned(
                f"{error.message} A spot request may still be open: "
                f"python -m wrapper down {record.name}"
            )
        )


def _with_ids(home: Home, way: Way, record: Record) -> Record:
    """Every machine and request of this name is remembered by id: spot leaves some untagged."""
    machines = {one.instance_id for one in way.aws.find_instances(record.name)}
    requests = {one.request_id for one in way.aws.find_spot_requests(record.name)}
    machines |= {record.instance_id} if record.instance_id else set()
    request_id = record.outputs.get("spot_request_id")
    requests |= {request_id} if isinstance(request_id, str) else set()
    return home.remember(
        dataclasses.replace(
            record,
            instance_ids=tuple(sorted({*record.instance_ids, *machines})),
            request_ids=tuple(sorted({*record.request_ids, *requests})),
        )
    )
