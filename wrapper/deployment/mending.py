"""What happened to a deployment outside of Terraform, put right before Terraform is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.deployment import question
from wrapper.deployment.events import Warned
from wrapper.errors import UsageError
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record


def refuse_stranger(way: Way, name: str) -> None:
    """No machine of that name is there whose Terraform state is not here. UsageError."""
    found = [one for one in way.aws.find_instances(name) if one.state != "shutting-down"]
    if found:
        raise UsageError(
            f"{way.place} has a machine named {name} already ({found[0].instance_id}, "
            f"{found[0].state}), whose Terraform state is not on this computer.",
            hint=f"Take another name: python -m wrapper up {name}-2. Or end it: "
            f"python -m wrapper down {name}",
        )


def mend(world: World, home: Home, way: Way, record: Record) -> None:
    """What Terraform alone cannot carry is put right (docs/gotchas.md)."""
    _end_unknown_buckets(world, home, way)
    _end_unknown_machines(world, home, way, record)
    _end_halves(world, way, record)


def _end_unknown_buckets(world: World, home: Home, way: Way) -> None:
    """No bucket of the name is there that the state does not know: it would be made again, and
    S3 refuses that. An interrupted `up` leaves one; a machine that runs has read its programs.
    """
    known = state.managed(home.path, "aws_s3_bucket")
    for one in way.aws.find_buckets(home.name):
        if one.id not in known:
            way.aws.remove(one)
            world.report(Warned(f"The bucket {one.id} was left half made, and is removed."))


def _end_unknown_machines(world: World, home: Home, way: Way, record: Record) -> None:
    """No machine of the name is there that the state does not know, or may still come: Terraform
    would make another beside it. One that was interrupted while EC2 answered it leaves such a one;
    no notebook of it was ever shown.
    """
    if any(state.managed(home.path, one) for one in question.MACHINE_TYPES):
        return
    machines = {one.instance_id for one in way.aws.find_instances(record.name)}
    requests = [
        one.request_id
        for one in way.aws.find_spot_requests(record.name)
        if one.state in ("open", "active", "disabled")
    ]
    if (not machines and not requests) or record.instance_id in machines:
        return
    left = ", ".join(sorted(machines) or requests)
    world.report(Warned(f"{left} was left by an interrupted command, and is ended."))
    way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )


def _end_halves(world: World, way: Way, record: Record) -> None:
    """What was ended outside is ended wholly.

    A machine gone while its request is open fails every plan; a request cancelled while its
    machine runs makes the plan start a second one beside it.
    """
    request_id = record.outputs.get("spot_request_id")
    if not request_id or not record.instance_id:
        return
    found = way.aws.spot_request(request_id)
    machine = way.aws.instance(record.instance_id)
    gone = machine is None or machine.state in ("terminated", "shutting-down")
    over = found is None or found.state in ("cancelled", "closed", "failed")
    if gone and over:
        return
    if gone:
        world.report(Warned(f"The machine {record.instance_id} was ended outside."))
    elif over:
        world.report(Warned(f"The spot request {request_id} was cancelled outside."))
        question = f"End its machine {record.instance_id}, with what is on its disk, for a new one?"
        if not world.confirm(question):
            raise UsageError(
                f"Left as it is: {record.instance_id} runs without a spot request.",
                hint="Save your work, then: python -m wrapper up, or down",
            )
    else:
        return
    way.aws.end_machines(
        record.name, request_ids=record.request_ids, instance_ids=record.instance_ids
    )
