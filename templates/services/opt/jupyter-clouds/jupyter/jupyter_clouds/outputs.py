"""What the cells that a kernel runs have made so far, by nbclient's reading of its messages."""

import json
import re
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode

from .executions import Execution

# Bytes recorded of one cell, and of all cells of a kernel together.
CELL, KERNEL = 10_000_000, 50_000_000
FULL = "Output beyond 10 MB is not kept while no browser is connected.\n"
VISIBLE = {"stream", "display_data", "execute_result", "error", "clear_output", "execute_input"}


def clock() -> float:
    """Return seconds that go on while the machine hibernates, as its watch counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def terminal(text: str, new: str) -> str:
    r"""Return `text` continued by `new` as JupyterLab shows it: \r and \b go back in the line."""
    if not re.search("[\b\r]", text[-1:] + new):
        return text + new
    head, newline, last = text.rpartition("\n")
    lines = (last + new).split("\n")
    for number, line in enumerate(lines):
        while "\b" in line:
            line = re.sub("[^\b]\b|^\b+", "", line)  # noqa: PLW2901 - until none is left
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        # A last \r stays: the next text goes over this line.
        lines[number] = shown + "\r" * (line.endswith("\r") and number == len(lines) - 1)
    return head + newline + "\n".join(lines)


class Sync(OutputWidget):
    """An Output widget: with its tab away, the kernel gets from us what the tab would tell it."""

    def sync_state(self) -> None:
        """Remember to tell the kernel: once for all outputs of a cell, not for each."""
        self.executor.unsynced[self.comm_id] = self

    def sync_now(self) -> None:
        """Tell the kernel."""
        super().sync_state()


class Recorder(NotebookClient):
    """Follows one kernel; `cells` of its notebook are executions, by message id."""

    def __init__(self, session: Any, client: Any) -> None:
        super().__init__({"cells": {}}, store_widget_state=False, record_timing=False)
        # nbclient's own Output widget would write there, state that we do not keep.
        del self.widget_state
        self.clear_before_next_output = False
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": Sync}}
        self.session, self.kc = session, client
        self.executions: dict[str, Execution] = {}
        self.received: list[list[bytes]] = []
        self.unsynced: dict[str, Sync] = {}
        # When somebody or something was last at work here.
        self.active = clock()
        # Ids of messages to the kernel whose echo shows that we hear it.
        self.questions: set[str] = set()
        # Notebooks whose kernel this is.
        self.paths: list[str] = []

    def request(self, msg_id: str, new: Execution) -> None:
        """Record the execution from now on, instead of an earlier one of the same cell."""
        self.process()
        self.active = clock()
        for old, e in list(self.executions.items()):
            if (e.cell_id or e.code) == (new.cell_id or new.code):
                self.forget(old)
        self.executions[msg_id] = new
        self.nb["cells"][msg_id] = new.cell

    def asked(self, parts: list[bytes]) -> None:
        """Note on the cell that it waits for input, as the kernel's message says."""
        try:
            _, (_, _, parent, *_) = self.session.feed_identities(parts)
            e = self.executions.get(json.loads(parent).get("msg_id"))
        except (ValueError, AttributeError) as error:
            self.log.warning("Unreadable question of a kernel: %s", error)
            return
        if e and not e.asking:
            e.asking, self.active = True, clock()

    def answered(self) -> None:
        """Note that somebody typed what a cell was waiting for: there is one at a time."""
        self.active = clock()
        for e in self.executions.values():
            e.asking = False

    def forget(self, msg_id: str) -> None:
        """Record the execution no longer."""
        del self.executions[msg_id], self.nb["cells"][msg_id]
        for cells in self._display_id_map.values():
            cells.pop(msg_id, None)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what was received, texts that follow one another as one."""
        received = self.received.copy()
        self.received.clear()

        def parsed() -> Iterator[dict[str, Any]]:
            for parts in received:
                try:
                    msg = self.session.deserialize(self.session.feed_identities(parts)[1])
                except ValueError as error:
                    self.log.warning("Unreadable message of a kernel: %s", error)
                    continue
                msg["size"] = sum(map(len, parts))
                yield msg

        def key(msg: dict[str, Any]) -> tuple[str, ...]:
            if msg["msg_type"] != "stream":
                return (msg["header"]["msg_id"],)
            return msg["parent_header"].get("msg_id", ""), msg["content"]["name"]

        for _, group in groupby(parsed(), key):
            first, *others = group
            first["content"]["text"] = "".join(
                m["content"].get("text", "") for m in (first, *others)
            )
            first["size"] += sum(m["size"] for m in others)
            yield first

    def process(self) -> None:
        """Bring the executions up to what was received."""
        for msg in self.messages():
            try:
                self.take(msg)
            except Exception:
                # Whatever a kernel says, saving a notebook may not fail of it.
                self.log.exception("Message not recorded: %s", msg["msg_type"])
        self.trim()

    def take(self, msg: dict[str, Any]) -> None:
        """Take in one message."""
        kind, parent = msg["msg_type"], msg["parent_header"].get("msg_id")
        self.questions.discard(parent)
        e = self.executions.get(parent)
        if e and e.running is not False:
            self.advance(e, msg, kind, parent)
        elif msg["content"].get("execution_state") == "starting":
            # A new process: nothing that the old one was at goes on.
            for running in self.executions.values():
                self.finish(running)
        elif (
            kind.startswith("comm")
            or kind == "update_display_data"
            or self.output_hook_stack.get(parent)
        ):
            # A button's callback, a thread: shown in an Output widget or by its display id.
            self.process_message(msg, NotebookNode(outputs=[]), parent)

    def advance(self, e: Execution, msg: dict[str, Any], kind: str, parent: str) -> None:
        """Take in a message about a cell that is not done."""
        if kind == "execute_input" or (kind in VISIBLE and e.running is None):
            # Whatever was asked for before has ended or was skipped after an error. (Its first
            # message may have been missed: a kernel that restarts is heard a moment late.)
            self.end(before=parent)
            if not e.running:
                e.began = time.monotonic()
            e.running = True
            self.active = clock()
        e.size += msg["size"]
        if kind in VISIBLE:
            e.touch()
        try:
            self.process_message(msg, e.cell, parent)
        except CellExecutionComplete:
            self.finish(e)

    def finish(self, e: Execution) -> None:
        """Mark the execution as ended."""
        if e.running:
            e.running, e.ended = False, time.monotonic()
            self.active = clock()
            e.touch()
        if e.lost:
            self.sync()

    def sync(self) -> None:
        """Tell the kernel what its Output widgets show."""
        widgets, self.unsynced = self.unsynced, {}
        for widget in widgets.values():
            widget.sync_now()

    def end(self, before: str | None = None) -> None:
        """Mark all executions as ended, or those asked for before one; the never begun are gone."""
        for msg_id, e in list(self.executions.items()):
            if msg_id == before:
                return
            if e.running is None:
                self.forget(msg_id)
            else:
                self.finish(e)

    def trim(self) -> None:
        """Forget the oldest finished executions beyond the limit."""
        total = sum(e.size for e in self.executions.values())
        for msg_id, e in list(self.executions.items()):
            if total > KERNEL and e.running is False and e.changed is None:
                total -= e.size
                self.forget(msg_id)

    def output(
        self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: Any
    ) -> NotebookNode | None:
        """Add an output; texts of the same stream that follow one another are one."""
        e = self.executions.get(cell_index)
        if e and (self.clear_before_next_output or not outs):
            e.size, e.full = msg["size"], False
        if e and e.full:
            return None
        if e and e.size > CELL:
            # What was overwritten meanwhile does not count.
            e.size = len(json.dumps(outs))
            if e.size + msg["size"] > CELL:
                e.full = True
                msg["msg_type"] = msg["header"]["msg_type"] = "stream"
                msg["content"] = {"name": "stderr", "text": FULL}
        made = super().output(outs, msg, display_id, cell_index)
        if made and made["output_type"] == "stream":
            before = outs[-2] if len(outs) > 1 and outs[-2].get("name") == made["name"] else None
            text = terminal(before["text"] if before else "", made["text"])
            if before:
                outs.pop()
            outs[-1]["text"] = text
        return made

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        for msg_id, places in self._display_id_map.get(display_id, {}).items():
            e = self.executions[msg_id]
            # The user may have cleared some away.
            places[:] = [place for place in places if place < len(e.cell["outputs"])]
            e.touch()
        super()._update_display_id(display_id, msg)
