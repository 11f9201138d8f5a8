"""A new data volume is there before Terraform runs, which takes it over by an import block.

The AWS provider looks after a volume that it makes itself only ten seconds after it asked for it,
and until then no machine may have it:
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/wait.go
What is imported it takes as it is: https://developer.hashicorp.com/terraform/language/import
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper.aws.model import DATA_TAG, DEPLOYMENT_TAG
from wrapper.deployment.data import DATA_VOLUME, VOLUME_TYPE
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError
from wrapper.settings import DEFAULT_DATA_GIB
from wrapper.terraform import state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.world import World
    from wrapper.home import Home

_FILE = "import.tf"


def take_over(way: Way, home: Home) -> None:
    """What a killed `up` has made waits for Terraform to take it over, before it plans another.

    And nothing else: a block for what is gone would fail every plan.
    """
    forget(home)
    if _is_wanted(home) and not state.managed(home.path, VOLUME_TYPE):
        mine = [
            one
            for one in way.aws.find_volumes(home.name)
            if one.deployment == home.name and not one.kept_at and not one.ending
        ]
        if len(mine) == 1:
            _write(home, mine[0].volume_id)


def forget(home: Home) -> None:
    """No volume waits to be taken over."""
    (home.path / _FILE).unlink(missing_ok=True)


def waits(home: Home) -> bool:
    """A volume is to be taken over."""
    return (home.path / _FILE).is_file()


@contextmanager
def made(world: World, home: Home, ready: Prepared) -> Iterator[str | None]:
    """A fresh deployment's volume, by id, is there to be taken over; None where none is made here.

    What was not taken over in the end is gone, or told, and waits for the next `up` or `down`.
    """
    volume_id = _make(home, ready)
    try:
        yield volume_id
    finally:
        forget(home)
        # In the state, it is as any other; by then a machine may have written to it, too.
        if volume_id and volume_id not in state.managed(home.path, VOLUME_TYPE):
            try:
                ready.way.aws.delete_volume(volume_id)
            except CloudsError as error:
                _write(home, volume_id)
                gone = f"python -m wrapper down {home.name}"
                world.report(
                    Warned(f"{error.message} {volume_id} is left, and costs money. End it: {gone}")
                )


def _make(home: Home, ready: Prepared) -> str | None:
    if not ready.fresh or not _is_wanted(home) or state.managed(home.path, VOLUME_TYPE):
        return None
    variables = home.variables()
    tags = {
        **(variables.get("tags") or {}),
        "Name": f"jupyter-clouds-{home.name}",
        DEPLOYMENT_TAG: home.name,
        DATA_TAG: home.name,
    }
    if owner := variables.get("owner"):
        tags["jupyter-clouds:owner"] = owner
    try:
        volume_id = ready.way.aws.create_volume(
            zone=ready.candidates[0].zone,
            gib=variables.get("data_volume_size") or DEFAULT_DATA_GIB,
            snapshot_id=variables.get("data_snapshot_id"),
            tags=tags,
        )
    except CloudsError:
        return None  # Terraform will be told the same, and tells it with what to do
    _write(home, volume_id)
    return volume_id


def _is_wanted(home: Home) -> bool:
    variables = home.variables()
    return variables.get("data_volume_size") != 0 and not variables.get("data_volume_id")


def _write(home: Home, volume_id: str) -> None:
    home.write(_FILE, f'import {{\n  to = {DATA_VOLUME}\n  id = "{volume_id}"\n}}\n')
