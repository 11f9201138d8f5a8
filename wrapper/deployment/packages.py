"""Packages for which user data has no room: sent to each machine once its notebook answers.

As `env update`, over the pinned connection (docs/adr/0014-places.md). They are remembered, since a
move or a replacement begins with a machine that has none of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wrapper import run_plan
from wrapper.deployment import running
from wrapper.deployment.events import Step
from wrapper.errors import FailedError
from wrapper.home import as_disk_error

if TYPE_CHECKING:
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home

_FILE = "packages.json"


def keep(home: Home, wanted: Wanted) -> None:
    """What was asked for now is what is remembered; where nothing was, all stays. DiskError."""
    if wanted.settings.environment is None:
        return
    if wanted.packages is None:
        with as_disk_error(home.path):
            (home.path / _FILE).unlink(missing_ok=True)
    elif _kept(home).get("asked") != wanted.packages:
        home.write(_FILE, json.dumps({"asked": wanted.packages, "on": None}))


def settle(world: World, home: Home) -> None:
    """They are on this machine. FailedError when they cannot be; what `run` raises."""
    kept, record = _kept(home), home.record()
    if not kept or record is None or kept["on"] == record.instance_id:
        return
    asked = kept["asked"]
    world.report(Step(f"Sending {asked['name']}, and installing what it asks for"))
    done = running.run(world, home.name, run_plan.of_environment(asked), fetch=False)
    if done.exit_code:
        raise FailedError(
            f"The notebook answers, and {asked['name']} could not be installed: its kernel has "
            f"what it had before.",
            hint=f"python -m wrapper env update FILE --name {home.name}, with another; or again: "
            f"python -m wrapper up {home.name}",
        )
    home.write(_FILE, json.dumps(kept | {"on": record.instance_id}))


def _kept(home: Home) -> dict[str, Any]:
    try:
        found = json.loads((home.path / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
