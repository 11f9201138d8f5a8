"""`bake` and `images`: images of a machine's root disk, made, shown, and removed by count.

docs/adr/0010-images.md
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from wrapper import console
from wrapper.deployment import awake, flushing, inventory, kept, look, packages, place, saving
from wrapper.deployment.events import Note, Step, Warned
from wrapper.deployment.verify import READY_WITHIN
from wrapper.deployment.watch import EVERY
from wrapper.errors import AwsError, FailedError, Interrupted, UsageError
from wrapper.gpus import nvidia

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.aws import Image, Instance
    from wrapper.deployment.copies import Where
    from wrapper.deployment.kept import Kept
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Record

BASE_TAG = "jupyter-clouds:base"
ENVIRONMENT_TAG = "jupyter-clouds:environment"
GPU_TAG = "jupyter-clouds:gpu"
PACKAGES_TAG = "jupyter-clouds:packages"
PROGRAMS_TAG = "jupyter-clouds:programs"
_TAGS = {
    "environment": ENVIRONMENT_TAG,
    "packages": PACKAGES_TAG,
    "programs": PROGRAMS_TAG,
}
"""By what the machine tells of itself."""
_INSTALLED = ("conda", "server", "environment")


@dataclass(frozen=True, kw_only=True)
class Baked:
    """An image of a machine; its field names are a contract."""

    name: str
    """Of the deployment."""
    id: str
    image: str
    """Name of the image."""
    region: str
    state: str
    gib: int
    architecture: str
    base: str
    """Name of the image that its machine began with."""
    environment: str
    """Begin of the SHA-256 over the packages of the user's environment; empty where the machine
    did not tell."""
    programs: str
    """Likewise over the programs that the module gave the machine."""
    packages: str
    """Some of them with their versions, and how many more there are."""
    when: str
    """ISO 8601."""
    monthly_price: float
    """US dollars at most, about: a snapshot is billed by what is on it."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Done:
    """What `bake` came to."""

    image: Baked
    shows: Literal["clean", "flushed", "crash-consistent"]
    """clean: of a machine at rest. Else of a running one: flushed a moment before, or as after a
    power cut."""


def bake(world: World, name: str, *, reboot: bool = False) -> Done:
    """An image of the root disk is available; the machine runs on, unless a reboot was asked for.

    What is being installed is waited for. UsageError where that failed; FailedError where there is
    no machine; AwsError. LockedError: an `up` has packages installed there.
    """
    home, record = look.known(world, name)
    with home.locked(f"bake {name}"), home.locked(f"bake {name}", packages.LOCK):
        way = place.back_to(world, record)
        machine = awake.machine(way, record)
        if machine is None or machine.state not in ("running", "stopped"):
            raise FailedError(
                f"{name} has no machine that runs or rests in {record.place}"
                f"{f': {machine.instance_id} is {machine.state}' if machine else ''}.",
                hint=f"python -m wrapper status {name}",
            )
        _wait_until_installed(world, way, machine, name)
        shows = flushing.settle(world, home, record, machine)
        if reboot and machine.state == "running":
            shows = "clean"
        has = inventory.ask(world, home, record, machine)
        image_id = _begin(world, way, record, machine, has, reboot=reboot)
        try:
            done = way.aws.wait_for_image(image_id, saving.progress(world, image_id))
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"Interrupted. EC2 goes on making {image_id}.",
                hint="See it: python -m wrapper images. Remove it: "
                f"python -m wrapper images prune {name} --keep 0",
            ) from error
        except AwsError:
            if failed := way.aws.image(image_id):
                way.aws.delete_image(failed)
            raise
        way.aws.require_imdsv2_of_image(image_id)
    return Done(told(done, way.place.region), shows)


def _wait_until_installed(world: World, way: Way, machine: Instance, name: str) -> None:
    """Nothing is being installed. UsageError where that failed, or does not end."""
    end, said = time.monotonic() + READY_WITHIN, ""
    while True:
        boot = console.parse(way.aws.console(machine.instance_id))
        left = [one for one in boot.phases if one.name in _INSTALLED and one.state != "done"]
        if not left:
            return
        if left[0].state == "failed" or machine.state != "running" or time.monotonic() > end:
            raise UsageError(
                f"{name}: its {left[0].name} is not installed; a machine of this image would begin "
                "with that again.",
                hint=f"python -m wrapper status {name}",
            )
        if left[0].name != said:
            said = left[0].name
            world.report(Step(f"Waiting for the {said}, which is being installed"))
        time.sleep(EVERY)


def _begin(  # noqa: PLR0913 (all that an image is made of)
    world: World,
    way: Way,
    record: Record,
    machine: Instance,
    has: Mapping[str, str],
    *,
    reboot: bool,
) -> str:
    tags = {
        BASE_TAG: way.aws.base_image(machine.instance_id),
        GPU_TAG: "nvidia" if nvidia(machine.instance_type) else "none",
        **{_TAGS[what]: value for what, value in has.items()},
    }
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    restarts = ", which is rebooted for it" if reboot and machine.state == "running" else ""
    world.report(Step(f"Making an image of {machine.instance_id}{restarts}"))
    return way.aws.create_image(
        machine.instance_id,
        record.name,
        tags,
        name=f"jupyter-clouds-{record.name}-{moment}",
        reboot=reboot,
    )


def images(world: World, where: Where, *, name: str | None = None) -> list[Baked]:
    """The images of one deployment or of all, in one region, the newest first."""
    way = _way(world, where)
    return [told(one, way.place.region) for one in way.aws.find_images(name)]


def prune(world: World, name: str, where: Where, *, keep: int) -> list[Baked]:
    """Of the deployment's images the newest so many are left; those that went. UsageError: no."""
    way = _way(world, where)
    found = way.aws.find_images(name)
    whole = [one for one in found if one.state == "available"]
    going = [one for one in found if one.state != "pending" and one not in whole[:keep]]
    if keep == 0:
        going = found
    if not going:
        return []
    listed = "\n".join(f"  {one.image_id}  {one.made_at:%Y-%m-%d %H:%M}" for one in going)
    question = f"{listed}\nEach goes with its snapshot; machines that began with it live on. Go on?"
    if not world.confirm(question):
        raise UsageError("Nothing was removed.", hint="python -m wrapper images")
    gone = []
    for one in going:
        try:
            way.aws.delete_image(one)
        except AwsError as error:
            world.report(Warned(error.message))
            continue
        world.report(Note(f"{one.image_id} of {one.made_at:%Y-%m-%d %H:%M} is gone"))
        gone.append(told(one, way.place.region))
    return gone


def _way(world: World, where: Where) -> Way:
    return place.search(world, local=where.local, region=where.region)


def told(one: Image, region: str) -> Baked:
    """As it is told."""
    return Baked(
        name=one.image_of,
        id=one.image_id,
        image=one.name,
        region=region,
        state=one.state,
        gib=one.gib,
        architecture=one.architecture,
        base=one.tags.get(BASE_TAG, ""),
        environment=one.tags.get(ENVIRONMENT_TAG, ""),
        programs=one.tags.get(PROGRAMS_TAG, ""),
        packages=one.tags.get(PACKAGES_TAG, ""),
        when=one.made_at.isoformat(timespec="seconds"),
        monthly_price=kept.month("snapshot", one.gib, region),
    )


def kept_images(way: Way, name: str) -> list[Kept]:
    """What `down` leaves of them."""
    return [
        kept.image(one, way.place.region)
        for one in way.aws.find_images(name)
        if one.state in ("available", "pending")
    ]
