"""What a story tells, on the screen: a moving bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import click

from wrapper.deployment.events import BootPhase, Checked, Note, Progress, Step, Warned

if TYPE_CHECKING:
    from wrapper.deployment.events import Event


class Screen:
    """Writes to standard error; a context manager, which takes the bar away."""

    def __init__(self, *, checks_to_stdout: bool = False) -> None:
        self._checks_to_stdout = checks_to_stdout
        self._lock = threading.Lock()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No bar is drawn."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def report(self, event: Event) -> None:
        """The event is on the screen. Called from several threads."""
        with self._lock:
            if isinstance(event, Progress):
                self._progress(event)
            else:
                self._line(event)

    def _line(self, event: Step | BootPhase | Note | Warned | Checked) -> None:
        text = _words(event)
        to_stdout = isinstance(event, Checked) and self._checks_to_stdout
        if self._bar is not None and not to_stdout:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=not to_stdout)

    def _progress(self, event: Progress) -> None:
        if sys.stderr.isatty():
            self._move(event)
        elif event.ended and not event.text.startswith("machine: "):
            so_far = f"{event.done}/{event.total}" if event.total else f"{event.done}"
            click.echo(f"  [{so_far}] {event.text}", err=True)

    def _move(self, event: Progress) -> None:
        if self._bar is None:
            self._bar, self._task = _new_bar()
            self._bar.start()
        total = event.total or None
        self._bar.update(self._task, completed=event.done, total=total, description=event.text)


def _new_bar() -> tuple[Any, Any]:
    from rich.console import Console  # noqa: PLC0415 (only for a terminal)
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 (likewise)

    bar = Progress(
        TimeElapsedColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    return bar, bar.add_task("", total=None)


def _words(event: Step | BootPhase | Note | Warned | Checked) -> str:
    match event:
        case Step(text):
            return text
        case Note(text):
            return f"  {text}"
        case Warned(text):
            return f"  warning: {text}"
        case BootPhase(name, "running", _):
            return f"  {name:<12} …"
        case BootPhase(name, state, seconds):
            return f"  {name:<12} {state}" + (f" in {seconds:.1f} s" if seconds is not None else "")
        case Checked(name, ok, detail):
            return f"  {name:<12} {'ok' if ok else 'FAILED'}  {detail}"
