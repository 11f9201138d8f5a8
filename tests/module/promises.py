"""What must hold of a deployment, whatever has happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.module.life import Life
    from wrapper.deployment.copies import Copies
    from wrapper.deployment.summary import Summary

NAME = "life"


class BrokenError(AssertionError):
    """Something that must hold does not."""


def expect(holds: object, otherwise: str) -> None:
    """It holds. BrokenError."""
    if not holds:
        raise BrokenError(otherwise)


def hold(life: Life) -> None:
    """After every step: no two machines ran, and all that was saved is on one disk or copy."""
    expect(not life.room.broken, "; ".join(life.room.broken))
    if not (saved := life.room.disks.saved):
        return
    disks = [one.volume_id for one in life.aws.find_volumes(NAME)]
    disks += [one.snapshot_id for one in life.aws.find_snapshots(NAME) if one.state != "error"]
    holding = {one: life.room.disks.words(one) for one in disks}
    found = any({*saved} <= {*words} for words in holding.values())
    expect(found, f"{saved} is nowhere: {holding}")


def works(life: Life, summary: Summary) -> None:
    """After `up`: one machine runs, with everything that was saved."""
    instance_id, disks = str(summary.instance_id), life.room.disks
    running = life.room.running()
    expect(running == [instance_id], f"{running} run, not {instance_id}")
    attached = [one for one, machine in disks.machines.items() if machine == instance_id]
    expect(attached == [summary.data_volume_id], f"{attached}, not {summary.data_volume_id}")
    _begins_with(life, attached[0])


def all_is_gone(life: Life, wish: str, before: set[str]) -> None:
    """After `down`: what the user chose to keep, now or `before`, and the next `up` begins with it.

    Nothing else.
    """
    kept = deployment.snapshots(life.world, NAME)
    volumes = [one.id for one in kept.volumes]
    left = [one for one in _left(life) if one not in volumes]
    expect(not left, f"left: {left}")
    chosen = wish == "keep" or before.issuperset(volumes)
    expect(chosen, f"nobody chose to keep {volumes}")
    new = {one.id for one in kept.snapshots} - before
    expect(not new or wish != "delete", f"{new} are new, and all was to be deleted")
    _only_what_was_asked_for(kept)
    again = deployment.down(life.world, NAME).kept
    _begins_with(life, again[0].id if again else "")


def _left(life: Life) -> Iterator[str]:
    yield from life.account.left()
    for one in life.account.client(service="iam").list_roles()["Roles"]:
        if NAME in one["RoleName"]:
            yield one["RoleName"]
    fis = life.account.client(service="fis").list_experiment_templates()
    yield from (one["id"] for one in fis["experimentTemplates"])


def _only_what_was_asked_for(kept: Copies) -> None:
    strange = [one for one in kept.snapshots if one.taken not in ("final", "manual")]
    expect(not strange, f"nobody asked for {strange}")


def _begins_with(life: Life, disk: str) -> None:
    """The work goes on from there: everything that was saved is on it."""
    disks = life.room.disks
    words = disks.words(disk)
    if disks.saved is None:  # it was to be deleted: an older copy is what there is
        disks.saved = words
    expect({*disks.saved} <= {*words}, f"{disk} has {words}, not {disks.saved}")
