"""What becomes of the machine after a run whose results are here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wrapper.deployment import pausing, take_down
from wrapper.deployment.events import Step, Warned
from wrapper.deployment.reaching import Line
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.deployment.attending import Fetched
    from wrapper.deployment.pausing import Stopped
    from wrapper.deployment.take_down import Down
    from wrapper.deployment.world import World


def do(world: World, name: str, found: Fetched) -> Stopped | Down | None:
    """The machine is stopped, or all of it ended, as was asked; else it runs on.

    With an output missing it is stopped at most. What `stop` and `down` return and raise.
    """
    after = found.run.after
    if after is None:
        return None
    with Line(world, name) as line:
        # Whoever fetches the results once more does not stop the machine again.
        line.ask(lambda notebook: notebook.runs.do(found.run.name, "settled"))
    if after == "down" and found.run.missing:
        world.report(Warned("An output is missing: the machine is stopped, and not ended"))
        after = "stop"
    if after == "stop":
        world.report(Step(f"Stopping {name}, as was asked"))
        try:
            return pausing.stop(world, name)
        except UsageError as error:
            # Of a one-time spot machine EC2 takes no such word; from inside it goes.
            world.report(Warned(f"{error.message} It ends by itself, a minute after the run"))
            return None
    world.report(Step(f"Ending {name}, as was asked"))
    # --down is the answer to what `down` asks: as with --yes.
    agreed = dataclasses.replace(world, confirm=lambda _: True, choose=_default)
    return take_down.down(agreed, name)


def _default(_: str, __: Sequence[str], default: str) -> str:
    return default
