"""The machine's own part in `push`, `pull` and `sync`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrapper import openssh
from wrapper.deployment.events import Step
from wrapper.errors import FailedError, NoAnswerError

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from wrapper.deployment.world import World

_PATIENCE = 300.0
"""Seconds in which the machine has installed a package."""
_BOOTING = 60.0
"""Seconds in which a machine whose notebook answers has got its further programs."""
_PAUSE = 2.0
_WANTED = "/var/lib/jupyter-clouds/notebook/files-wanted"
"""A file that makes the machine install both: jupyter-clouds-files.path."""
_UNIT = "jupyter-clouds-files"
_NOT_YET = 4


def ask(world: World, folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """What a shell on the machine makes of the words. NoAnswerError when ssh does not get there."""
    done = openssh.try_to(folder, [words], world.environment)
    if done.returncode == openssh.UNREACHED:
        raise NoAnswerError(f"ssh: {done.stderr.strip()}", hint="python -m wrapper ssh")
    return done


def have(world: World, folder: Path, name: str, program: str) -> None:
    """The machine has rsync or Unison, installed by itself where it had not. FailedError."""
    if ask(world, folder, f"command -v {program}").returncode == 0:
        return
    world.report(Step(f"The machine installs {program}"))
    # A machine that boots gets the unit a moment later; heard is only what is written after that.
    asked = f"systemctl is-active -q {_UNIT}.path || exit {_NOT_YET}; date >{_WANTED}"
    if _until_done(world, folder, asked, _BOOTING):
        raise FailedError(
            f"The machine has no {program}, and is of a version that does not install it.",
            hint=f"python -m wrapper up {name} --replace",
        )
    there = f"command -v {program} && exit; systemctl is-failed -q {_UNIT} || exit {_NOT_YET}"
    if _until_done(world, folder, f"{there}; exit 1", _PATIENCE):
        raise FailedError(
            f"The machine could not install {program}.",
            hint=f"Why: python -m wrapper ssh {name} -- systemctl status {_UNIT}",
        )


def _until_done(world: World, folder: Path, words: str, patience: float) -> int:
    """The exit code of the words, asked again while it is "not yet", for so many seconds."""
    end = time.monotonic() + patience
    while True:
        code = ask(world, folder, words).returncode
        if code != _NOT_YET or time.monotonic() > end:
            return code
        time.sleep(_PAUSE)
