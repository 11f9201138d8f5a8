"""The machine's own part in `push`, `pull` and `sync`."""

from __future__ import annotations

import shlex
import subprocess
import time
from typing import TYPE_CHECKING, TypeVar

from wrapper import openssh
from wrapper.deployment.events import Step
from wrapper.errors import FailedError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wrapper.deployment.world import World

Done = TypeVar("Done", subprocess.CompletedProcess[str], subprocess.CompletedProcess[bytes])
_PATIENCE = 300.0
"""Seconds in which the machine has installed a package."""
_BOOTING = 60.0
"""Seconds in which a machine whose notebook answers has got its further programs."""
_PAUSE = 2.0
_WANTED = "/var/lib/jupyter-clouds/notebook/files-wanted"
"""A file that makes the machine install both: jupyter-clouds-files.path."""
_UNIT = "jupyter-clouds-files"
_NOT_YET = 4

# Names that git would leave out there, a zero byte after each. It reads the rules that count here,
# whose .gitignore may not be there yet; and what the repository here has all the same.
_IGNORED = """\
mkdir -p {there} && cd {there} || exit
command -v git >/dev/null || exit 0
bare=$(mktemp -d)
GIT_DEFAULT_HASH=sha1 git init -q --bare "$bare" && mkdir -p "$bare/info"
head -c {rules} >"$bare/info/exclude"
git --git-dir="$bare" update-index -z --index-info
git --git-dir="$bare" --work-tree=. ls-files -z -oi --exclude-standard --directory
rm -rf "$bare"
"""
_ENTRY = b"100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\t"
"""Of git's index; the blob is the empty one, which nobody looks at."""


def ask(world: World, folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """What a shell on the machine makes of the words. NoAnswerError when ssh does not get there."""
    done = openssh.try_to(folder, [words], world.environment)
    return _reached(done, done.stderr)


def _reached(done: Done, said: str) -> Done:
    if done.returncode == openssh.UNREACHED:
        raise NoAnswerError(f"ssh: {said.strip()}", hint="python -m wrapper ssh")
    return done


def ignored(
    world: World, folder: Path, there: str, rules: bytes, tracked: Iterable[bytes]
) -> list[bytes]:
    """Names below the folder there, which is made, that git would leave out there, or by the rules.

    Not those that are tracked here. FailedError, NoAnswerError.
    """
    index = b"".join(_ENTRY + name + b"\0" for name in tracked)
    path = there if there.startswith("/") else f"./{there}"
    words = [_IGNORED.format(there=shlex.quote(path), rules=len(rules))]
    done = openssh.exactly(folder, words, world.environment, rules + index)
    said = done.stderr.decode(errors="replace").strip()
    if _reached(done, said).returncode:
        raise FailedError(
            f"The machine cannot make {there}: {said}", hint="python -m wrapper ssh -- ls -la work"
        )
    return [name for name in done.stdout.split(b"\0") if name]


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
