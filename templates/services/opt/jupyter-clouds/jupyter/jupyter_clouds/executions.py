"""What one run of a cell has made, and which of two is right: that, or what a tab saves."""

import time
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

# Seconds in which a tab may still be behind the kernel after a cell has ended.
GRACE = 5


def extent(outputs: list[Any]) -> int:
    """Return about how much there is to see."""
    return sum(
        1 + len(o.get("text", "")) + sum(map(len, o.get("data", {}).values())) for o in outputs
    )


def headless(theirs: list[Any], ours: list[Any]) -> bool:
    """Return whether `theirs` are `ours` without their beginning: the user cleared it away."""
    if not theirs or not ours:
        return False
    first = theirs[0].get("text")
    if first is None:
        return theirs[0] in ours[1:] and theirs[0] != ours[0]
    texts = [o.get("text", "") for o in ours]
    return not texts[0].startswith(first) and any(first in text for text in texts)


@dataclass(eq=False)
class Execution:
    """One request to run a cell: what it made, and who has seen how much of it."""

    cell_id: str | None
    code: str
    # The kernel client of the tab that asked; `lost` once that tab may have missed a message.
    client: str
    lost: bool = False
    # None until the kernel comes to it.
    running: bool | None = None
    # It waits for what somebody is to type.
    asking: bool = False
    began: float = 0
    ended: float = 0
    # Since when the file lacks something; changes so far; how often no cell of the file was its.
    changed: float | None = None
    version: int = 0
    misses: int = 0
    # Somebody has seen the finished output.
    shown: bool = False
    # Bytes received, and whether that was too much.
    size: int = 0
    full: bool = False
    # Sizes of a tab's outputs and of ours when the tab last saved.
    extent: tuple[int, int] = (0, 0)
    cell: NotebookNode = field(
        default_factory=lambda: NotebookNode(outputs=[], execution_count=None)
    )

    def touch(self) -> None:
        """Note that the file now lacks something."""
        self.version += 1
        self.changed = self.changed or time.monotonic()

    def outputs(self) -> list[Any]:
        """Return the outputs as a notebook file has them."""
        return [
            NotebookNode(o, text=o["text"].removesuffix("\r")) if "text" in o else o
            for o in self.cell["outputs"]
        ]

    def overrules(self, theirs: list[Any]) -> bool:
        """Return whether a tab that saves `theirs` has missed something, which is then ours.

        A tab that was connected all the time is right, whatever it shows. One that was not is right
        when it clears what somebody has seen.
        """
        ours = self.outputs()
        old, self.extent = self.extent, (extent(theirs), extent(ours))
        if theirs == ours:
            self.changed, self.shown = None, self.running is False
            return False
        if self.lost and (theirs or not self.shown):
            return True
        cleared = headless(theirs, ours) or (self.extent[0] < old[0] and self.extent[1] >= old[1])
        if self.running and cleared:
            self.cell["outputs"] = theirs
        if self.running:
            # Behind by a blink: it saves again in 3 s, and if it does not, we do.
            self.changed = time.monotonic()
        elif self.lost or cleared or time.monotonic() - self.ended > GRACE:
            self.running, self.changed = None, None
        return False
