"""Work that ends in time, with every process that it started, and says what it got done."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))
import clouds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOME = Path(os.environ.get("CLOUDS_HOME", clouds.USER.pw_dir))  # the tests set it
CONDA = "/opt/conda/envs"
PATH = f"/usr/local/bin:/usr/bin:/bin:{CONDA}/server/bin:{CONDA}/notebook/bin"
KEPT = 2**18  # bytes of what a program prints; of the rest only the end is kept
GRACE = 2  # seconds in which processes that were killed have to be gone
PR_SET_CHILD_SUBREAPER = 36


class Done(NamedTuple):
    """How a program ended."""

    code: int | None  # None: it was stopped when its time was over
    output: str


def adopt() -> None:
    """Orphans of this process's children become its own, so that none escapes `end`."""
    # https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """Processes below this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold anything.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, following = [], [os.getpid()]
    while following:
        below = children.get(following.pop(), [])
        found += below
        following += below
    return found


def end() -> None:
    """No process below this one is left, unless the kernel itself holds it."""
    ends = time.monotonic() + GRACE
    while (left := descendants()) and time.monotonic() < ends:
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def drain(pipe: int, seconds: float, ended: Callable[[], bool]) -> bytes:
    """The end of what came through the pipe until `ended`, it was closed or the time was over."""
    ends = time.monotonic() + seconds
    data = bytearray()
    while (left := ends - time.monotonic()) > 0:
        # Who has ended may have left somebody behind who holds the pipe open.
        if select.select([pipe], [], [], min(left, 0.05))[0]:
            if not (part := os.read(pipe, 2**16)):
                break
            data += part
            # Not at every piece: a gigabyte comes in many.
            if len(data) > 4 * KEPT:
                del data[:-KEPT]
        elif ended():
            break
    return bytes(data[-KEPT:])


def run(command: Sequence[str | Path], seconds: float, **environment: str) -> Done:
    """The command has ended, run as the notebook's user and never as root, and all it started."""
    adopt()
    name = clouds.USER.pw_name
    user: dict[str, Any] = {}
    if os.geteuid() == 0 != clouds.USER.pw_uid:
        groups = os.getgrouplist(name, clouds.USER.pw_gid)
        user = {"user": clouds.USER.pw_uid, "group": clouds.USER.pw_gid, "extra_groups": groups}
    # Nothing of root's environment.
    own = {"HOME": str(HOME), "USER": name, "LOGNAME": name, "SHELL": "/bin/bash"}
    child = subprocess.Popen(
        command,
        cwd="/",
        env={**own, "PATH": PATH, "LANG": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # away from a terminal that root may sit at
        **user,
    )
    out: Any = child.stdout  # a pipe
    with child:
        ends = time.monotonic() + seconds
        output = drain(out.fileno(), seconds, lambda: child.poll() is not None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0, ends - time.monotonic()))
        code = child.poll()
        end()
        if code is None:
            # Its status was taken by `end`.
            child.returncode = -signal.SIGKILL
    return Done(code, output.decode(errors="replace"))


def call(function: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What the function returned, in a process of its own; or the error that came instead."""
    adopt()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - of whatever kind, the next step has to come
            result = {"ok": 0, "failed": 1, "error": f"{error or type(error).__name__}"[:500]}
        with os.fdopen(writing, "w") as file:
            json.dump(result, file)
        os._exit(0)
    os.close(writing)
    data = drain(reading, seconds, lambda: False)
    os.close(reading)
    end()
    try:
        found: dict[str, Any] = json.loads(data)
    except ValueError:
        return {"ok": 0, "failed": 1, "error": f"not done within {seconds:.0f} s"}
    return found
