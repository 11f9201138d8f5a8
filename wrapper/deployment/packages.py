"""Packages for which user data has no room: sent to each machine once its notebook answers.

As `env update`, over the pinned connection (docs/adr/0014-places.md). They are remembered, since a
move or a replacement begins with a machine that has none of them.

The deployment is not locked meanwhile, so what they came to is in a file of its own, which nobody
else writes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from wrapper import run_plan
from wrapper.deployment import attending, running
from wrapper.deployment.events import Step
from wrapper.errors import FailedError
from wrapper.home import as_disk_error

if TYPE_CHECKING:
    from wrapper.deployment.wanted import Wanted
    from wrapper.deployment.world import World
    from wrapper.home import Home

_ASKED, _SENT = "packages.json", "packages-sent.json"
LOCK = "packages.lock"
"""Held while they are being installed."""


def keep(home: Home, wanted: Wanted) -> None:
    """What was asked for now is what is remembered; where nothing was, all stays. DiskError."""
    if wanted.settings.environment is None:
        return
    if wanted.packages is None:
        with as_disk_error(home.path):
            (home.path / _ASKED).unlink(missing_ok=True)
    else:
        home.write(_ASKED, json.dumps({"asked": wanted.packages}))


def settle(world: World, home: Home) -> None:
    """They are on this machine. FailedError when they cannot be; what `run` raises.

    LockedError: another `up` waits for that already.
    """
    asked, record = _read(home, _ASKED).get("asked"), home.record()
    if not asked or record is None:
        return
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    this = {"asked": digest, "on": record.instance_id}
    if _read(home, _SENT) == this:
        return
    with home.locked(f"up {home.name}", LOCK):
        world.report(Step(f"Sending {asked['name']}, and installing what it asks for"))
        which = _begun(world, home, this)
        if which is None:
            which = running.start(world, home.name, run_plan.of_environment(asked)).name
            home.write(_SENT, json.dumps(this | {"run": which}))
        done = attending.attend(world, home.name, which, since_start=True, fetch=False)
        if done.exit_code:
            raise FailedError(
                f"The notebook answers, and {asked['name']} could not be installed: its kernel has "
                f"what it had before.",
                hint=f"python -m wrapper env update FILE --name {home.name}, with another; or "
                f"again: python -m wrapper up {home.name}",
            )
        home.write(_SENT, json.dumps(this))


def _begun(world: World, home: Home, this: dict[str, Any]) -> str | None:
    """The run of an `up` that was left meanwhile: it goes on, or has done it."""
    sent = _read(home, _SENT)
    which = sent.pop("run", None)
    if sent != this:
        return None
    known = {one.name: one for one in running.runs(world, home.name)}
    found = known.get(which)
    return which if found and (found.going or found.exit_code == 0) else None


def _read(home: Home, name: str) -> dict[str, Any]:
    try:
        found = json.loads((home.path / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
