"""A notebook, executed cell by cell by nbclient; the executed one is on the disk at each step."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from run import LOOK, Ended

if TYPE_CHECKING:
    from run import Run

SAVE = 2  # seconds between two looks for new output to be saved
TAG, INJECTED = "parameters", "injected-parameters"  # papermill's convention


def with_parameters(notebook: Any, parameters: dict[str, Any]) -> Any:
    """The notebook with a cell that sets them, behind the one that is tagged `parameters`.

    https://papermill.readthedocs.io/en/latest/usage-parameterize.html
    """
    if not parameters:
        return notebook
    # Values came as JSON, so each one's repr is Python.
    lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [INJECTED]})
    cells = [one for one in notebook.cells if INJECTED not in tags(one)]
    at = next((n for n, one in enumerate(cells) if TAG in tags(one)), -1) + 1
    notebook.cells = [*cells[:at], cell, *cells[at:]]
    if notebook.nbformat_minor < 5:  # noqa: PLR2004 - the first with ids
        cell.pop("id", None)
    return notebook


def tags(cell: Any) -> list[str]:
    """The cell's tags."""
    found = cell.metadata.get("tags", [])
    return found if isinstance(found, list) else []


class Client(NotebookClient):  # type: ignore[misc] # untyped
    """Tells how far it is, and what cells print as they print it."""

    def __init__(self, notebook: Any, run: Run, **how: Any) -> None:
        super().__init__(notebook, **how)
        self.run, self.changed, self.interrupted = run, True, asyncio.Event()
        self.on_cell_execute = self.begun
        self.on_cell_executed = self.done
        self.of = sum(
            one.cell_type == "code" and bool(one.source.strip()) for one in notebook.cells
        )
        self.so_far = 0

    def begun(self, cell: Any, cell_index: int) -> None:
        """A cell runs."""
        del cell
        # nbclient's own would end the kernel, and call that a death.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.interrupted.set)
        self.run.tell(cells={"done": self.so_far, "of": self.of, "index": cell_index})

    def done(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """A cell has run."""
        del cell, execute_reply
        self.so_far += 1
        self.run.tell(cells={"done": self.so_far, "of": self.of, "index": cell_index})
        self.save()

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        """As nbclient keeps it, and in the log."""
        self.changed = True
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.run.say(content["text"])
        elif msg["msg_type"] == "error":
            self.run.say("\n".join(content["traceback"]) + "\n")
        elif text := content.get("data", {}).get("text/plain"):
            self.run.say(f"{text}\n")
        return super().output(outs, msg, display_id, cell_index)

    def save(self) -> None:
        """The executed notebook is on the disk, whole, as far as it is."""
        # A full disk ends no run.
        self.changed = False
        path = self.run.folder / self.run.plan["executed"]
        partial = path.with_name(f".{path.name}")
        with contextlib.suppress(OSError):
            nbformat.write(self.nb, partial)
            partial.replace(path)


def execute(run: Run) -> tuple[int, str | None]:
    """Exit code, and why it is none of success."""
    notebook = nbformat.read(run.folder / run.plan["file"], as_version=4)
    client = Client(
        with_parameters(notebook, run.plan.get("parameters", {})),
        run,
        timeout=None,
        kernel_name=run.plan["kernel"],
        resources={"metadata": {"path": str((run.folder / run.plan["file"]).parent)}},
    )
    try:
        asyncio.run(_execute(client))
    except CellExecutionError as error:
        return 1, f"cell {client.so_far}: {error.ename}: {error.evalue}"[:2000]
    except DeadKernelError:
        error = f"the kernel died in cell {client.so_far + 1}: out of memory, most often"
        run.say(f"{error}\n")
        return 1, error
    finally:
        client.save()
    return 0, None


async def _execute(client: Client) -> None:
    """All cells have run, or one has failed, or somebody wants no more."""
    whole = asyncio.create_task(client.async_execute())
    looking = asyncio.create_task(_look(client))
    done, _ = await asyncio.wait([whole, looking], return_when=asyncio.FIRST_COMPLETED)
    for task in (whole, looking):
        if task not in done:
            task.cancel()
            # The kernel is ended on the way.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    for task in done:
        task.result()


async def _look(client: Client) -> None:
    """Output that came is saved now and then; Ended once somebody wants that."""
    while True:
        for _ in range(int(SAVE / LOOK)):
            await asyncio.sleep(LOOK)
            if client.run.cancelled() or client.interrupted.is_set():
                raise Ended("cancelled" if client.run.cancelled() else "interrupted")
        if client.changed:
            client.save()
