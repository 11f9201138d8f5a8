"""A run on the machine is watched, and what it made is fetched; leaving it ends nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wrapper.deployment import events
from wrapper.deployment.awake import StoppedError
from wrapper.deployment.events import Printed, Progress, Step, Warned
from wrapper.deployment.reaching import Line
from wrapper.errors import (
    AwsError,
    CredentialsError,
    FailedError,
    Interrupted,
    NoAnswerError,
)
from wrapper.home import as_disk_error

if TYPE_CHECKING:
    from wrapper.deployment.world import World
    from wrapper.notebook import News, Notebook, Run

HERE = "runs"
"""Folder of this directory that results come to, one below for each run."""
LOG = "output.log"
_WAIT = 5.0
"""Seconds that the notebook waits for news before it answers."""
_TAIL = -(2**16)
"""Where somebody who comes back begins: 64 KB before the end."""
_HOLD = 15.0
"""Seconds between two words to a machine that is to stop: another minute."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A run that has ended, and what is here of it."""

    run: Run
    folder: str
    files: tuple[str, ...]
    """Below the folder."""

    @property
    def exit_code(self) -> int:
        """The run's own; 1 where that is 0 and a named output was not made."""
        code = 1 if self.run.exit_code is None else self.run.exit_code
        return code or int(bool(self.run.missing))


def attend(
    world: World, name: str, which: str, *, since_start: bool = False, fetch: bool = True
) -> Fetched:
    """It has ended, what it printed was reported, and its results are here, if they are wanted.

    Interrupted: left, and it goes on. NoAnswerError: the machine is silent, or stopped. AwsError,
    CredentialsError: where it is now could not be asked.
    """
    with Line(world, name) as line:
        try:
            ended = _follow(line, which, 0 if since_start else _TAIL)
            world.report(events.News(f"{ended.name} on {name} has ended: {ended.state}"))
            return _fetch(line, ended) if fetch else Fetched(run=ended, folder="", files=())
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"Left. {which} goes on, or its results wait, on {name}.",
                hint=f"Come back: python -m wrapper run {name} --attach {which}; "
                f"end it: python -m wrapper run {name} --cancel {which}",
            ) from error
        except (NoAnswerError, AwsError, CredentialsError) as error:
            what = "waits on its disk" if isinstance(error, StoppedError) else "may go on there"
            raise type(error)(
                f"{error.message} {which} {what}.",
                hint=f"{error.hint or 'python -m wrapper status'}; then: "
                f"python -m wrapper run {name} --attach {which}",
            ) from error


def _follow(line: Line, which: str, start: int) -> Run:
    """The run as it ended; all that it printed was reported."""
    report = line.world.report
    seen, done, wait = "", -1, _WAIT
    while True:
        news = line.keep_asking(lambda notebook: _news(notebook, which, start, seen, wait))  # noqa: B023 - asked at once
        start, seen = news.next, news.seen
        wait = _WAIT if news.run.going else 0
        if news.text:
            report(Printed(news.text))
        if news.run.cells and news.run.cells_done != done:
            done = news.run.cells_done
            text = f"cell {min(done + 1, news.run.cells)} of {news.run.cells}"
            words = text if news.run.going else news.run.state
            report(Progress(done, news.run.cells, words, ended=done > 0))
        if not news.run.going and not news.text:
            return news.run


def _news(notebook: Notebook, which: str, start: int, seen: str, wait: float) -> News:
    found = notebook.runs.news(which, start, seen=seen, wait=wait)
    if found is None:
        raise FailedError(
            f"There is no run {which} any more.", hint="Somebody removed its folder, work/runs"
        )
    return found


def _fetch(line: Line, run: Run) -> Fetched:
    """Its log, its executed notebook and its outputs are here. DiskError, NoAnswerError."""
    folder = Path(HERE) / run.name
    line.world.report(Step(f"Fetching what it made to {folder}"))
    with as_disk_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_log(line, run, folder / LOG)
        wanted = [one for files in run.outputs.values() for one in files]
        if run.kind == "notebook" and run.executed:
            wanted.insert(0, run.executed)
        hold = _Hold(line, run)
        got = [one for one in dict.fromkeys(wanted) if _fetch_file(line, run, folder, one, hold)]
    return Fetched(run=run, folder=str(folder), files=(LOG, *got))


class _Hold:
    """A machine that is to stop after the run waits for what is being fetched."""

    def __init__(self, line: Line, run: Run) -> None:
        self.line, self.run, self.last = line, run, 0.0

    def __call__(self, _: int = 0) -> None:
        """So many bytes have come."""
        if self.run.after and time.monotonic() - self.last > _HOLD:
            self.last = time.monotonic()
            self.line.ask(lambda notebook: notebook.runs.do(self.run.name, "hold"))


def _fetch_log(line: Line, run: Run, target: Path) -> None:
    with target.open("w", encoding="utf-8") as stream:
        start = 0
        while True:
            news = line.keep_asking(lambda notebook: notebook.runs.news(run.name, start))  # noqa: B023 - asked at once
            if news is None or not news.text:
                return
            stream.write(news.text)
            start = news.next


def _fetch_file(line: Line, run: Run, folder: Path, name: str, hold: _Hold) -> bool:
    """Whether it is here, whole. One that is gone by now is told."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise FailedError(f"The machine names {name!r} as a result, which is none of {run.name}.")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")

    def download(notebook: Notebook) -> bool:
        with partial.open("wb") as stream:
            return notebook.download(f"{run.folder}/{name}", stream, hold)

    hold()
    try:
        if line.keep_asking(download):
            partial.replace(target)
            return True
    finally:
        partial.unlink(missing_ok=True)
    line.world.report(Warned(f"{name} is not had: it is there no more, or its name is hidden"))
    return False
