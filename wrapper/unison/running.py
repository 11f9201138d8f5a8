"""Unison as a child: started on a profile, listened to, and judged by how it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import openssh
from wrapper.errors import FailedError, NoAnswerError
from wrapper.unison import pair as pairs
from wrapper.unison.words import Heard, LostMemoryError, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wrapper.unison.pair import Pair

PACKAGE = "apt-get install unison, dnf install unison, or brew install unison"
_LEAST = (2, 52)
"""From there on, versions understand one another."""
_LOST = "-ignorearchives"
_PERCENT = re.compile(rb"(\d{1,3})%")


@dataclass(frozen=True)
class Tell:
    """Whom it tells what it does."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    progress: Callable[[int], None]
    """Percent of what goes over in this round."""


def program() -> str:
    """Unison on this computer. FailedError when it is missing or too old."""
    found = openssh.program("unison", package=PACKAGE)
    told = subprocess.run([found, "-version"], check=False, capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < _LEAST:
        needed = ".".join(map(str, _LEAST))
        raise FailedError(f"{found} is {told.strip()}; {needed} is needed.", hint=PACKAGE)
    return found


def synchronise(pair: Pair, given: Mapping[str, str], tell: Tell, lock: int) -> Outcome:
    """What changed at one end is at the other; what did not come together. The lock is the pair's.

    NoAnswerError, DiskError, FailedError: some of it could not be done. RulesError.
    """
    try:
        return _once(pair, given, tell, lock)
    except LostMemoryError:
        # One end forgot what both had (a machine made anew, a `down` in between): everything is
        # compared, nothing is deleted, and what differs is a conflict.
        return _once(pair, given, tell, lock, _LOST)


def _once(pair: Pair, given: Mapping[str, str], tell: Tell, lock: int, *more: str) -> Outcome:
    pairs.write(pair)
    environment = openssh.environment(given, pair.ssh / openssh.CONFIG) | {
        "UNISON": str(pair.own),
        # Its memory bears the computer's name, which changes with the network on some.
        "UNISONLOCALHOSTNAME": "here",
    }
    if pair.watch:
        environment["PATH"] = f"{pair.monitor}:{environment.get('PATH', os.defpath)}"
    with subprocess.Popen(
        [program(), pair.profile, "-ui", "text", *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=(lock,),
    ) as running:
        heard = Heard(tell.say, tell.warn)
        drawn = os.dup(running.stdout.fileno()) if running.stdout else -1
        aside = threading.Thread(target=_count, args=(drawn, tell.progress), daemon=True)
        aside.start()
        try:
            # Names are any bytes.
            heard.listen(line.decode(errors="replace") for line in running.stderr or ())
        except BaseException:
            running.terminate()
            raise
    aside.join()
    if running.returncode == -signal.SIGTERM:
        raise NoAnswerError("The connection ended.", hint="python -m wrapper ssh")
    return heard.judge(running.returncode)


def _count(drawn: int, progress: Callable[[int], None]) -> None:
    """The percentages of what Unison draws for a terminal, each once."""
    before = -1
    with os.fdopen(drawn, "rb", buffering=0) as stream:
        while piece := stream.read(2**14):
            for found in _PERCENT.findall(piece):
                if before != int(found):
                    before = int(found)
                    progress(before)
