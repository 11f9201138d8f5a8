"""What the phases share: where things are, the console, files, children, retries, stamps."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The tests set these; a machine sets none.
ROOT = Path(os.environ.get("CLOUDS_ROOT", "/"))
USER = pwd.getpwnam(os.environ.get("CLOUDS_USER", "notebook"))
PAUSES = os.environ.get("CLOUDS_PAUSES", "1 2 4 8 15 15 30 30 60 60 60 60")

BIN = Path(__file__).parent
HERE = ROOT / "opt/jupyter-clouds"
CONDA = ROOT / "opt/conda"
ETC = ROOT / "etc/jupyter-clouds"
LOG = ROOT / "var/log/jupyter-clouds"
RUN = ROOT / "run/jupyter-clouds"
VAR = ROOT / "var/lib/jupyter-clouds"
STATE = VAR / "notebook"

# How mamba, conda and pip say that another try would end the same way.
HOPELESS = r"(?i)could not solve|unsatisfiable|NotFound|InvalidSpec|No matching|No space left"
# How all of them, in too many words to know, say that it was the network.
NETWORK = r"(?i)connect|timed? ?out|resolve host|name resolution|network|reset|http|ssl|download"


class PassingError(Exception):
    """May go better in a moment: a connection lost, a server busy."""

    tries = 99


def settings() -> dict[str, Any]:
    """What Terraform gave this machine; only root reads it."""
    data: dict[str, Any] = json.loads((ETC / "machine.json").read_text())
    return data


def console(line: str) -> None:
    """The line stands alone on the console, or the console took none for five seconds."""
    print(line)
    # The first newline ends what others left unfinished, a login prompt for one.
    data = f"\n{line}\n".encode()
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK
        terminal = os.open(ROOT / "dev/console", flags)
        # A serial line that nobody drains would otherwise hold the boot for ever.
        while data and select.select([], [terminal], [], 5)[1]:
            data = data[os.write(terminal, data) :]
        os.close(terminal)


def write(path: Path, text: str, mode: int = 0o644, group: int = -1) -> None:
    """The file holds the text, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    partial.touch(0o600)
    partial.write_text(text)
    os.chown(partial, -1, group)
    partial.chmod(mode)
    partial.replace(path)


def stamped(name: str, content: str) -> bool:
    """Whether this was finished, at any boot, for the same content."""
    path = VAR / f"{name}.stamp"
    return path.exists() and path.read_text() == content


def stamp(name: str, content: str) -> None:
    """Finished survives a reboot, once everything written before is on the disk."""
    write(VAR / f"{name}.unsynced", content)
    # A gigabyte of new files takes seconds to reach the disk: nobody waits for it. Cut short,
    # the next boot does the work again.
    subprocess.Popen(["sh", "-c", 'sync; mv "$0.unsynced" "$0.stamp"', VAR / name])


def run(command: Sequence[str | Path], *, as_user: bool = False) -> None:
    """The command succeeded; raises PassingError when another try may mend it, or SystemExit."""
    account = USER if as_user else pwd.getpwuid(os.geteuid())
    # A service of root's has no HOME. Debian 13's /tmp is memory, and packages are built there.
    home = {"HOME": account.pw_dir, "USER": account.pw_name, "TMPDIR": "/var/tmp"}  # noqa: S108 - no file of ours
    environment = {**os.environ, **home}
    user: dict[str, Any] = {}
    if as_user and os.geteuid() == 0:
        user = {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []}
    done = subprocess.run(command, cwd="/", env=environment, check=False, **user)
    if done.returncode:
        # What it printed went to the phase's log, which is our own output.
        output = Path("/proc/self/fd/1").read_text(errors="replace").strip()[-5000:]
        why = output.rsplit("\n", 1)[-1]
        message = f"{command[0]} ended with {done.returncode}: {why}"
        if re.search(HOPELESS, output):
            raise SystemExit(message)
        error = PassingError(message)
        error.tries = 99 if re.search(NETWORK, output) else 3
        raise error


def retry(step: Callable[[int], None]) -> None:
    """The step succeeded; passing failures were sat out, ever longer."""
    for attempt, pause in enumerate(PAUSES.split()):
        try:
            return step(attempt)
        except PassingError as error:
            if attempt + 1 >= error.tries:
                raise
            print(f"{error}; again in {pause} s")
            time.sleep(float(pause))
    return step(-1)
