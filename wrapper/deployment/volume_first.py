"""A new or kept data volume is there before Terraform runs, which takes it over by an import block.

The AWS provider looks after a volume that it makes itself only ten seconds after it asked for it,
and until then no machine may have it:
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/wait.go
What is imported it takes as it is: https://developer.hashicorp.com/terraform/language/import
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper.aws.model import ARCHITECTURE_TAG, DATA_TAG, DEPLOYMENT_TAG
from wrapper.deployment.data import DATA_VOLUME, VOLUME_TYPE
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError
from wrapper.settings import DEFAULT_DATA_GIB
from wrapper.terraform import state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wrapper.deployment.place import Way
    from wrapper.deployment.preparing import Prepared
    from wrapper.deployment.world import World
    from wrapper.home import Home

_FILE = "import.tf"


def take_over(way: Way, home: Home, kept: str | None = None, *, left: Collection[str] = ()) -> None:
    """A volume that was kept, or that a killed `up` has made, waits for Terraform to take it over.

    And nothing else: a block for what is gone would fail every plan, and the data has left `left`.
    """
    forget(home)
    if not _is_wanted(home) or state.managed(home.path, VOLUME_TYPE):
        return
    if kept:
        _write(home, kept)
    else:
        mine = [
            one
            for one in way.aws.find_volumes(home.name)
            if one.deployment == home.name
            and not (one.kept_at or one.ending or one.volume_id in left)
        ]
        if len(mine) == 1:
            _write(home, mine[0].volume_id)


def forget(home: Home) -> None:
    """No volume waits to be taken over."""
    (home.path / _FILE).unlink(missing_ok=True)


def waiting(home: Home) -> str | None:
    """Id of the volume that is to be taken over; None without one."""
    try:
        found = re.search(r'id = "(vol-\w+)"', (home.path / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found[1] if found else None


@contextmanager
def made(world: World, home: Home, ready: Prepared) -> Iterator[str | None]:
    """A fresh deployment's volume, by id, is there to be taken over; None where none is made here.

    What was not taken over in the end is gone, or told; it and what was there before wait on.
    """
    volume_id = _make(home, ready)
    try:
        yield volume_id
    finally:
        # In the state, it is as any other; by then a machine may have written to it, too.
        managed = state.managed(home.path, VOLUME_TYPE)
        if waiting(home) in managed:
            forget(home)
        elif volume_id and volume_id not in managed:
            try:
                ready.way.aws.delete_volume(volume_id)
                forget(home)
            except CloudsError as error:
                gone = f"python -m wrapper down {home.name}"
                world.report(
                    Warned(f"{error.message} {volume_id} is left, and costs money. End it: {gone}")
                )


def _make(home: Home, ready: Prepared) -> str | None:
    if not ready.fresh or not _is_wanted(home):
        return None
    if waiting(home) or state.managed(home.path, VOLUME_TYPE):
        return None
    variables = home.variables()
    tags = {
        **(variables.get("tags") or {}),
        "Name": f"jupyter-clouds-{home.name}",
        DEPLOYMENT_TAG: home.name,
        DATA_TAG: home.name,
        ARCHITECTURE_TAG: ready.facts.architecture,
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
