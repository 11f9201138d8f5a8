"""One run of Terraform: a child in a process group of its own, its output followed in a file."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper.errors import DiskError, Interrupted, TerraformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from io import FileIO
    from pathlib import Path

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_EVERY = 0.05
"""Seconds between looks at the file."""


@dataclass(frozen=True)
class Run:
    """A run that ended."""

    code: int
    stderr: str


def run(  # noqa: PLR0913 (each is one fact about a child)
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    log: Path,
    keep_open: Sequence[int] = (),
    on_line: Callable[[str], None],
    cancelled: threading.Event | None = None,
) -> Run:
    """The child ran to its end; each line of its output was handed on as it came.

    Ctrl-C and kill reach it as one interrupt each: the first lets Terraform finish its work and
    save its state, what a second means is Terraform's decision. Interrupted is raised after it
    ended; so it is once `cancelled` is set. Its output goes to files and not through pipes: a
    wrapper that is killed must not take Terraform, half-way through, along with it.
    """
    errors = log.with_suffix(".err")
    interrupts = _Interrupts()
    with _opened(log) as out, _opened(errors) as err, _signals_to(interrupts):
        try:
            child = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out.fileno(),
                stderr=err.fileno(),
                process_group=0,
                pass_fds=tuple(keep_open),
            )
        except OSError as error:
            raise TerraformError(
                f"{command[0]} cannot be run: {error.strerror}", hint="python -m wrapper doctor"
            ) from error
        interrupts.hand_to(child)
        for line in _follow(log, child):
            if line is not None:
                on_line(line)
            elif cancelled and cancelled.is_set() and not interrupts.count:
                interrupts()
    if interrupts.count:
        raise Interrupted("Interrupted; Terraform finished what it was at and saved its state.")
    return Run(child.returncode, errors.read_text(encoding="utf-8", errors="replace"))


class _Interrupts:
    """Signals received, each handed to the child once; those from before it ran, too."""

    def __init__(self) -> None:
        self.count = 0
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        self.count += 1
        if self._child:
            self._child.send_signal(signal.SIGINT)

    def hand_to(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        if self.count:
            child.send_signal(signal.SIGINT)


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    try:
        stream = path.open("wb", buffering=0)
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}", hint="df -h ~") from error
    with stream:
        yield stream


def _follow(log: Path, child: subprocess.Popen[bytes]) -> Iterator[str | None]:
    """Whole lines as they are written, until the child has ended; None whenever there is none."""
    with log.open(encoding="utf-8", errors="replace") as stream:
        rest = ""
        while True:
            ended = child.poll() is not None  # asked before reading: nothing is missed after it
            *lines, rest = (rest + stream.read()).split("\n")
            yield from lines
            if ended:
                break
            if not lines:
                yield None
                time.sleep(_LOOK_EVERY)
        if rest:
            yield rest


@contextmanager
def _signals_to(receive: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, kill and a closed terminal call `receive`, and nothing else, while this is open.

    Under nohup a closed terminal is not heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heard = [one for one in ENDING_SIGNALS if not (nohup and one is signal.SIGHUP)]
    before = {one: signal.signal(one, lambda *_: receive()) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
