"""The kernels: whose they are, what they run and what they ran last."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any

NAME = re.compile(r"kernels-[\w-]{1,40}\.json", re.ASCII)
FOLDER = ".clouds"
KEPT = 10  # files
CODE = 10_000  # characters of a cell
LAST = 5  # cells


async def listed(server: Any) -> list[dict[str, Any]]:
    """Return the running kernels."""
    sessions = await server.session_manager.list_sessions()
    recorders = getattr(server.kernel_manager, "recorders", {})
    found = []
    for model in server.kernel_manager.list_kernels():
        paths = [one["path"] for one in sessions if one["kernel"]["id"] == model["id"]]
        found.append(
            {
                "id": model["id"],
                "name": model["name"],
                "notebooks": paths,
                "state": model["execution_state"],
                "last_activity": str(model["last_activity"]),
                **cells(recorders.get(model["id"])),
            }
        )
    return found


def cells(recorder: Any) -> dict[str, Any]:
    """Return the kernel's cells: running, waiting, and the last ones done."""
    if recorder is None:
        return {"running": [], "waiting": [], "done": []}
    recorder.process()
    states: dict[Any, list[dict[str, Any]]] = {True: [], None: [], False: []}
    for e in recorder.executions.values():
        states[e.running].append({"cell": e.cell_id, "code": e.code[:CODE]})
    return {"running": states[True], "waiting": states[None], "done": states[False][-LAST:]}


async def activity(server: Any) -> dict[str, Any]:
    """Return who runs a cell that does not wait for input, and for how long nobody has."""
    sessions = await server.session_manager.list_sessions()
    recorders = getattr(server.kernel_manager, "recorders", {})
    running, quiet = [], None
    for model in server.kernel_manager.list_kernels():
        recorder = recorders.get(model["id"])
        if recorder is None:
            busy = model["execution_state"] == "busy"
        else:
            recorder.process()
            busy = any(e.running and not e.asking for e in recorder.executions.values())
        if busy:
            paths = [one["path"] for one in sessions if one["kernel"]["id"] == model["id"]]
            running += paths or [model["name"]]
    # Of ended kernels too: what they ran was work.
    for recorder in recorders.values():
        since = time.clock_gettime(time.CLOCK_BOOTTIME) - recorder.active
        quiet = since if quiet is None else min(quiet, since)
    return {"running": running, "quiet": quiet}


def write(root: str, name: str, found: list[dict[str, Any]]) -> str:
    """Write the file, whole or not at all, and return its path; of old ones some stay."""
    folder = Path(root, FOLDER)
    folder.mkdir(exist_ok=True)
    # The work folder may be a repository: this is no part of the work.
    (folder / ".gitignore").write_text("*\n")
    path, partial = folder / name, folder / f".{name}"
    with partial.open("w") as file:
        json.dump(found, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    old = sorted(one for one in folder.glob("kernels-*.json") if NAME.fullmatch(one.name))
    for one in old[:-KEPT]:
        with contextlib.suppress(OSError):
            one.unlink()
    return str(path)
