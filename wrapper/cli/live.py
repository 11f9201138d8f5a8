"""`status --watch`: one view that moves on a terminal, lines or documents elsewhere."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from wrapper.cli import worlds
from wrapper.cli.person import Person
from wrapper.cli.screen import Moving, Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.live import Live
    from wrapper.notebook import Gpu, Kernel

    Tell = Callable[[Live], None]

_BAR = 20
"""Characters."""
_OLD = 10.0
"""Seconds after which numbers are said to be old."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_GIB = 2**30


def watch(name: str, *, every: float, as_json: bool) -> None:
    """Each look was shown, until Ctrl-C or `down`."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)
    from wrapper.cli import news  # noqa: PLC0415 (after --help)

    differences = news.Differences()

    def also(tell: Tell) -> Tell:
        def both(seen: Live) -> None:
            tell(seen)
            for text in differences.between(seen, notice(seen)):
                news.tell(text)

        return both

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if as_json:
            deployment.watch_status(world, name, also(_document), every=every)
        elif not sys.stdout.isatty():
            deployment.watch_status(world, name, also(_line), every=every)
        else:
            view = View(name)
            with Moving(view.rows) as moving:

                def tell(seen: Live) -> None:
                    view.now(seen)
                    moving.update()

                deployment.watch_status(world, name, also(tell), every=every)


def _document(seen: Live) -> None:
    click.echo(json.dumps(seen.document()))


def _line(seen: Live) -> None:
    click.echo(line(seen))


class View:
    """The last look, and how old it is by now."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: Live | None = None
        self._told_at = 0.0

    def now(self, seen: Live) -> None:
        """That is the newest."""
        self._seen = seen
        if seen.answers:
            self._told_at = time.monotonic()

    def rows(self) -> list[tuple[str, str, str]]:
        """Label, words and style of each line, as of this moment."""
        if self._seen is None:
            return [("", f"Looking at {self._name}", "")]
        seen = self._seen
        age = time.monotonic() - self._told_at if seen.told_at else None
        return [row for row in _rows(seen, age) if row[1]]


def _rows(seen: Live, age: float | None) -> list[tuple[str, str, str]]:
    from wrapper.deployment import disk  # noqa: PLC0415 (after --help)

    stale = not seen.answers or (age is not None and age > _OLD)
    dim = "dim" if stale else ""
    share = _share(seen.memory_used_bytes, seen.memory_total_bytes)
    memory = ""
    if share is not None and seen.memory_used_bytes and seen.memory_total_bytes:
        used, total = disk.gib(seen.memory_used_bytes), disk.gib(seen.memory_total_bytes)
        memory = f"{_bar(share)} {used} of {total}"
    full = "" if seen.disk is None or seen.disk.state == "ok" else "bold red"
    return [
        (seen.name, _head(seen), "bold"),
        ("", _silence(seen, age) if stale else seen.trouble or "", "yellow"),
        ("", notice(seen), "bold yellow"),
        ("processor", _processor(seen), dim),
        ("memory", memory, dim),
        ("disk", _disk(seen), full or dim),
        *(("GPU", _gpu(one), dim) for one in seen.gpus),
        *((("kernels" if not n else ""), _kernel(one), dim) for n, one in enumerate(seen.kernels)),
        ("kernels", "" if seen.kernels or seen.cores is None else "none", dim),
        *((label, words, dim) for label, words in _clocks(seen)),
        ("cost", cost(seen), ""),
        ("", f"{moment(seen.at)}, until Ctrl-C", "dim"),
    ]


def line(seen: Live) -> str:
    """One look where nothing can move."""
    parts = [moment(seen.at), seen.name, seen.state]
    if not seen.answers:
        parts.append(f"does not answer: {seen.trouble}" if seen.trouble else "does not answer")
        if seen.told_at:
            parts.append(f"what follows is of {moment(seen.told_at)}")
    elif seen.trouble:
        parts.append(seen.trouble)
    if seen.cpu_percent is not None:
        parts.append(f"processor {seen.cpu_percent:.0f} % of {seen.cores}")
    if seen.memory_total_bytes and seen.memory_used_bytes is not None:
        used, total = seen.memory_used_bytes / _GIB, seen.memory_total_bytes / _GIB
        parts.append(f"memory {used:.1f} of {total:.1f} GiB")
    if seen.disk:
        parts.append(f"disk {seen.disk.words}")
    parts += [f"GPU {_gpu_words(one)}" for one in seen.gpus]
    parts += [f"kernel {_kernel(one)}" for one in seen.kernels]
    parts += [f"{label} {words}" for label, words in _clocks(seen)]
    parts += [words for words in (notice(seen), cost(seen)) if words]
    return " | ".join(parts)


def notice(seen: Live) -> str:
    """What JupyterLab shows, with the time as it is here."""
    if not seen.notice:
        return ""
    return seen.notice.replace("{time}", moment(seen.notice_time) if seen.notice_time else "soon")


def cost(seen: Live) -> str:
    """So far, and each hour."""
    told = [] if seen.spent is None else [f"about ${seen.spent:.2f} so far"]
    if seen.hourly_price is not None and seen.state == "running":
        told.append(f"${seen.hourly_price:.4f} an hour")
    return ", ".join(told)


def moment(instant: str) -> str:
    """A moment as a clock here shows it."""
    from wrapper import hours  # noqa: PLC0415 (after --help)

    return hours.moment(instant, seconds=True)


def lasted(seconds: float) -> str:
    """So long, in the largest unit that says something."""
    for size, word in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def _head(seen: Live) -> str:
    return ", ".join(filter(None, (seen.state, seen.url)))


def _silence(seen: Live, age: float | None) -> str:
    why = seen.trouble or "It does not answer."
    return why if age is None else f"{why} What follows is {lasted(age)} old."


def _share(used: int | None, total: int | None) -> float | None:
    return None if used is None or not total else used / total


def _bar(share: float) -> str:
    filled = round(_BAR * min(max(share, 0.0), 1.0))
    return f"{'█' * filled}{'░' * (_BAR - filled)} {100 * share:3.0f} %"


def _processor(seen: Live) -> str:
    if seen.cpu_percent is None or seen.load is None:
        return ""
    cores = f"{seen.cores} core" + ("" if seen.cores == 1 else "s")
    return f"{_bar(seen.cpu_percent / 100)} of {cores}, load {seen.load:.2f}"


def _disk(seen: Live) -> str:
    if seen.disk is None:
        return ""
    words = f"{_bar(1 - seen.disk.free_bytes / seen.disk.total_bytes)} {seen.disk.words}"
    return f"{words}; {seen.disk.hint}" if seen.disk.hint else words


def _gpu(one: Gpu) -> str:
    return f"{_bar((one.percent or 0) / 100)} {_gpu_words(one)}"


def _gpu_words(one: Gpu) -> str:
    known = one.memory_used_bytes is not None and one.memory_total_bytes is not None
    memory = (
        f", {(one.memory_used_bytes or 0) / _GIB:.1f} of {(one.memory_total_bytes or 0) / _GIB:.1f}"
        " GiB"
    )
    percent = "not told" if one.percent is None else f"{one.percent} %"
    return f"{one.name}: {percent}{memory if known else ''}"


def _kernel(one: Kernel) -> str:
    state = "waits for input" if one.state == "waiting" else one.state
    return f"{', '.join(one.notebooks) or one.name}: {state} for {lasted(one.seconds)}"


def _clocks(seen: Live) -> list[tuple[str, str]]:
    from wrapper.cli import daily  # noqa: PLC0415 (which has this command)

    return daily.by_itself(seen.autostop)
