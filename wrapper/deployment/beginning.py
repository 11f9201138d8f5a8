"""What a new machine's disk begins with: the newest image baked of the deployment that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.deployment import baking, question
from wrapper.deployment.events import Note
from wrapper.gpus import nvidia
from wrapper.settings import DEFAULT_TYPE

if TYPE_CHECKING:
    from wrapper.aws import Facts, Image
    from wrapper.deployment.place import Way
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.settings import Settings


def choose(  # noqa: PLR0913, PLR0917 (what it hangs on)
    world: World,
    way: Way,
    wanted: Wanted,
    asked: Settings,
    facts: Facts,
    before: Record | None,
) -> str | None:
    """Id of the image; None for Ubuntu's, or for one that the user named.

    Chosen anew at every `up`: a running machine keeps its disk whatever is said here.
    """
    if asked.ami_id is not None:
        return None
    made_anew = before is None or before.ended or wanted.replace or not before.instance_ids
    if wanted.fresh:
        return None
    found = way.aws.find_images(wanted.name)
    fitting = next((one for one in found if fits(one, asked, facts)), None)
    if made_anew and fitting:
        when = f"{fitting.made_at:%Y-%m-%d %H:%M} UTC"
        world.report(Note(f"It begins with {fitting.image_id}, baked {when}; --fresh: with Ubuntu"))
    elif made_anew and found:
        why = _why(found[0], asked, facts)
        world.report(Note(f"{found[0].image_id} was baked, and is not used: {why}"))
    was = before.image if before else None
    if was and was not in {one.image_id for one in found}:
        instead = fitting.image_id if fitting else "Ubuntu's image"
        world.report(Note(f"{was} has gone: a new machine begins with {instead}"))
    return fitting.image_id if fitting else None


def fits(one: Image, asked: Settings, facts: Facts) -> bool:
    """A machine as it is asked for can begin with the image."""
    return one.state == "available" and not _why(one, asked, facts)


def _why(one: Image, asked: Settings, facts: Facts) -> str:
    """Why it cannot; empty when it can."""
    kind = asked.instance_type or DEFAULT_TYPE
    gpu = nvidia(kind)
    gib = asked.root_volume_size or (question.ROOT_GIB_GPU if gpu else question.ROOT_GIB)
    if one.architecture != facts.architecture:
        return f"it is {one.architecture}, {kind} is {facts.architecture}"
    if (one.tags.get(baking.GPU_TAG) == "nvidia") != gpu:
        return "it lacks NVIDIA's driver" if gpu else "it is for a machine with a GPU"
    if one.gib > gib:
        return f"it needs a disk of {one.gib} GiB (--root-volume-size)"
    return "" if one.state == "available" else f"it is {one.state}"


def spare(way: Way, home: Home) -> None:
    """Terraform is not told of an image that has gone: it would look it up, and fail."""
    record, variables = home.record(), home.variables()
    image_id = variables.get("ami_id")
    if record and image_id and image_id == record.image and way.aws.image(image_id) is None:
        home.write_variables({**variables, "ami_id": None})
