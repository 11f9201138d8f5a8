"""What a story tells, on the screen: a moving bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import click

from wrapper.deployment.events import BootPhase, Checked, Note, Printed, Progress, Step, Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrapper.deployment.events import Event


class Screen:
    """Writes to standard error; a context manager, which takes the bar away."""

    def __init__(self, *, checks_to_stdout: bool = False, all_to_stderr: bool = False) -> None:
        self._checks_to_stdout = checks_to_stdout
        self._all_to_stderr = all_to_stderr
        self._line_begun = ""
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
            self._take_away()

    def _take_away(self) -> None:
        if self._bar is not None:
            self._print("\n" if self._line_begun else "")
            self._bar.stop()
            self._bar = None

    def report(self, event: Event) -> None:
        """The event is on the screen. Called from several threads."""
        with self._lock:
            if isinstance(event, Progress) and event.over:
                self._take_away()
            elif isinstance(event, Progress):
                self._progress(event)
            elif isinstance(event, Printed):
                self._print(event.text)
            else:
                self._line(event)

    def _line(self, event: Step | BootPhase | Note | Warned | Checked) -> None:
        text = _words(event)
        to_stdout = isinstance(event, Checked) and self._checks_to_stdout
        if self._bar is not None and not to_stdout:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=not to_stdout)

    def _print(self, text: str) -> None:
        """A run's own words: on standard output, above the bar where both are on a terminal."""
        if self._bar is None or not (self._all_to_stderr or sys.stdout.isatty()):
            click.echo(text, nl=False, err=self._all_to_stderr)
            return
        # The bar stands on a line of its own: what is above it are whole ones.
        whole, newline, self._line_begun = (self._line_begun + text).rpartition("\n")
        if newline:
            self._bar.console.out(whole, highlight=False)

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


class Moving:
    """Lines on standard output that change where they are; a context manager.

    They are asked for four times a second, also while whoever fills them waits.
    """

    def __init__(self, rows: Callable[[], Sequence[tuple[str, str, str]]]) -> None:
        """`rows`: label, words and style of each line."""
        self._rows = rows
        self._live: Any = None

    def __enter__(self) -> Self:
        from rich.console import Console  # noqa: PLC0415 (only for a terminal)
        from rich.live import Live  # noqa: PLC0415 (likewise)

        self._live = Live(
            console=Console(),
            get_renderable=self._table,
            refresh_per_second=4,
            vertical_overflow="ellipsis",
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self) -> None:
        """The lines are drawn now."""
        self._live.refresh()

    def _table(self) -> Any:
        from rich.table import Table  # noqa: PLC0415 (only for a terminal)
        from rich.text import Text  # noqa: PLC0415 (likewise)

        table = Table.grid(padding=(0, 2))
        for label, words, style in self._rows():
            table.add_row(Text(label, style="dim"), Text(words, style=style))
        return table


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
