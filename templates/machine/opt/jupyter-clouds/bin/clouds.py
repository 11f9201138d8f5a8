"""What the phases share: where things are, the console, files, children, retries, stamps."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import select
import shutil
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The tests set these; a machine sets none.
ROOT = Path(os.environ.get("CLOUDS_ROOT", "/"))
USER = os.environ.get("CLOUDS_USER", "notebook")
PAUSES = os.environ.get("CLOUDS_PAUSES", "1 2 4 8 15 15 30 30 60 60 60 60")

HERE = ROOT / "opt/jupyter-clouds"
CONDA = ROOT / "opt/conda"
ETC = ROOT / "etc/jupyter-clouds"
LOG = ROOT / "var/log/jupyter-clouds"
RUN = ROOT / "run/jupyter-clouds"
VAR = ROOT / "var/lib/jupyter-clouds"
STATE = VAR / "notebook"

# How mamba, conda and pip say that another try would end the same way.
HOPELESS = re.compile(
    r"could not solve|nothing provides|unsatisfiable|PackagesNotFound|ResolvePackageNotFound"
    r"|InvalidSpec|No matching distribution|No space left",
    re.IGNORECASE,
)


# May go better in a moment: a connection lost, a server busy.
class PassingError(Exception): ...


def settings() -> dict[str, Any]:
    """What Terraform gave this machine; only root reads it."""
    data: dict[str, Any] = json.loads((ETC / "machine.json").read_text())
    return data


def console(line: str) -> None:
    """The line stands alone on the console, or the console took none for five seconds."""
    print(line, flush=True)
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


def wipe(path: Path) -> None:
    """Nothing is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def user() -> dict[str, Any]:
    """Arguments of subprocess that make the child the notebook's user."""
    account = pwd.getpwnam(USER)
    groups = os.getgrouplist(USER, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def run(command: Sequence[str | Path], *, as_user: bool = False) -> None:
    """The command succeeded; raises PassingError when another try may mend it, or SystemExit."""
    # Debian 13's /tmp is memory, and packages are built there.
    environment = {**os.environ, "TMPDIR": "/var/tmp"}  # noqa: S108 the system's own
    if as_user:
        environment |= {"HOME": pwd.getpwnam(USER).pw_dir, "USER": USER}
    last: deque[str] = deque([""], maxlen=60)
    with subprocess.Popen(
        command,
        cwd="/",
        env=environment,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **(user() if as_user and os.geteuid() == 0 else {}),
    ) as child:
        for line in child.stdout or ():
            print(line, end="", flush=True)
            last.append(line)
    if child.returncode:
        message = f"{command[0]} ended with {child.returncode}: {last[-1].strip()}"
        if HOPELESS.search("".join(last)):
            raise SystemExit(message)
        raise PassingError(message)


def retry(step: Callable[[int], None]) -> None:
    """The step succeeded; passing failures were sat out, ever longer."""
    pauses = PAUSES.split()
    for attempt in range(len(pauses) + 1):
        try:
            return step(attempt)
        except PassingError as error:
            if attempt == len(pauses):
                raise SystemExit(f"given up after {attempt + 1} tries: {error}") from error
            print(f"{error}; again in {pauses[attempt]} s", flush=True)
            time.sleep(float(pauses[attempt]))
    return None
