"""The machine's own part in `push`, `pull` and `sync`."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wrapper import openssh, unison
from wrapper.deployment.events import Step, Warned
from wrapper.errors import FailedError, NoAnswerError
from wrapper.monitor import program

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
# whose .gitignore may not be there yet; and what the repository at either end has all the same.
_IGNORED = """\
mkdir -p {there} && cd {there} || exit
PATH="$PATH":{server}
command -v git >/dev/null || exit 0
kept={kept}
bare=${{kept:+$HOME/$kept/git}}
bare=${{bare:-$(mktemp -d)}}
rm -rf "$bare"
GIT_DEFAULT_HASH=sha1 git init -q --bare "$bare" && mkdir -p "$bare/info"
head -c {rules} >"$bare/info/exclude"
git --git-dir="$bare" update-index -z --index-info
git ls-files -z --stage --cached --ignored --exclude-standard 2>/dev/null |
  git --git-dir="$bare" update-index -z --index-info
python3 -I -c {listing} "$bare" >"$bare/known" || exit
cat "$bare/known"
[ -n "$kept" ] || rm -rf "$bare"
"""
_WATCH = """\
dir=$HOME/{kept}
mkdir -p "$dir" && cat >"$dir/monitor.pyz" || exit
printf '#!/bin/sh\\ndir="%s"\\nPATH="$PATH:%s"\\n%s\\n' "$dir" {server} \\
  'exec python3 -I "$dir/monitor.pyz" --door {door} {known}' >"$dir/unison-fsmonitor" || exit
chmod +x "$dir/unison-fsmonitor"
for name in {names}; do [ "$name" = unison-fsmonitor ] || ln -sf unison-fsmonitor "$dir/$name"; done
"""
_SERVER = "/opt/conda/envs/server/bin"
"""Where there is a git if nowhere else: Ubuntu's images have one, Debian's do not."""
_DOOR = "/run/jupyter-clouds/door/jupyter.sock"
"""Of the notebook's own extension, which listens to the notebook's user."""
_SAVING = 5.0
"""Seconds that tabs get to save."""
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


@dataclass(frozen=True, kw_only=True)
class Left:
    """What git leaves out, as far as this computer knows."""

    rules: bytes = b""
    """What counts for all of the folder."""
    tracked: Iterable[bytes] = ()
    """What is not left out all the same."""
    kept: str = ""
    """Where git's folder of it stays, below the home directory there; none: nowhere."""


def ignored(world: World, folder: Path, there: str, left: Left) -> list[bytes]:
    """Names below the folder there, which is made, that git would leave out there, or by the rules.

    Not those that are tracked here. FailedError, NoAnswerError.
    """
    rules, tracked = left.rules, left.tracked
    index = b"".join(_ENTRY + name + b"\0" for name in tracked)
    path = there if there.startswith("/") else f"./{there}"
    words = [
        _IGNORED.format(
            there=shlex.quote(path),
            server=shlex.quote(_SERVER),
            kept=left.kept,
            rules=len(rules),
            listing=shlex.quote(program.listing()),
        )
    ]
    done = openssh.exactly(folder, words, world.environment, rules + index)
    said = done.stderr.decode(errors="replace").strip()
    if _reached(done, said).returncode:
        raise FailedError(
            f"{there} cannot be looked into on the machine: {said}",
            hint="python -m wrapper ssh -- ls -la work",
        )
    return [name for name in done.stdout.split(b"\0") if name]


def names(world: World, folder: Path, there: str) -> list[bytes]:
    """Files and links below the folder there. NoAnswerError."""
    path = there if there.startswith("/") else f"./{there}"
    words = f"cd {shlex.quote(path)} && find . -name .git -prune -o ! -type d -print0"
    done = openssh.exactly(folder, [words], world.environment)
    _reached(done, done.stderr.decode(errors="replace"))
    return [name.removeprefix(b"./") for name in done.stdout.split(b"\0") if name]


def save_open(world: World, folder: Path) -> None:
    """What is open in JupyterLab is on the disk; told, where it is not. NoAnswerError."""
    words = f"exec python3 -I - {_DOOR} {_SAVING:g}"
    done = openssh.exactly(folder, [words], world.environment, program.saving())
    said = done.stderr.decode(errors="replace").strip()
    if _reached(done, said).returncode:
        last = said.splitlines()[-1:]
        world.report(Warned(f"JupyterLab did not save what is open there: {''.join(last)}"))
        return
    for one in json.loads(done.stdout or b"{}").get("documents", []):
        if one.get("state") != "saved":
            why = one.get("error", one.get("state"))
            world.report(Warned(f"{one.get('path')} is open there, and not saved: {why}"))


def watch(world: World, folder: Path, kept: str, *, gitignore: bool, lenient: bool = False) -> None:
    """Unison is told of changes there, by a monitor that has JupyterLab save first. NoAnswerError.

    The same for every version of the machine, since it comes from here.
    """
    known = '--git "$dir/git" --known "$dir/git/known"' if gitignore else ""
    known += " --lenient" if lenient else ""
    words = _WATCH.format(
        kept=kept,
        names=" ".join(unison.MONITORS),
        server=shlex.quote(_SERVER),
        known=known,
        door=_DOOR,
    )
    done = openssh.exactly(folder, [words], world.environment, program.archive())
    said = done.stderr.decode(errors="replace").strip()
    if _reached(done, said).returncode:
        raise FailedError(
            f"The machine takes no monitor of changes: {said}", hint="python -m wrapper ssh"
        )


def have(world: World, folder: Path, name: str, wanted: str) -> None:
    """The machine has rsync or Unison, installed by itself where it had not. FailedError."""
    if ask(world, folder, f"command -v {wanted}").returncode == 0:
        return
    world.report(Step(f"The machine installs {wanted}"))
    # A machine that boots gets the unit a moment later; heard is only what is written after that.
    asked = f"systemctl is-active -q {_UNIT}.path || exit {_NOT_YET}; date >{_WANTED}"
    if _until_done(world, folder, asked, _BOOTING):
        raise FailedError(
            f"The machine has no {wanted}, and is of a version that does not install it.",
            hint=f"python -m wrapper up {name} --replace",
        )
    there = f"command -v {wanted} && exit; systemctl is-failed -q {_UNIT} || exit {_NOT_YET}"
    if _until_done(world, folder, f"{there}; exit 1", _PATIENCE):
        raise FailedError(
            f"The machine could not install {wanted}.",
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
