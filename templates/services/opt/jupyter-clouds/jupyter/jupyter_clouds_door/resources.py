"""What this machine has and uses: processors, memory, disk, GPUs, and what its kernels do.

Counters, and no rates: whoever asks twice knows the rate, and nobody has to be remembered here.
https://man7.org/linux/man-pages/man5/proc_stat.5.html
https://man7.org/linux/man-pages/man5/proc_meminfo.5.html
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import shutil
import time
from pathlib import Path
from typing import Any

PROC = Path(os.environ.get("JUPYTER_CLOUDS_PROC", "/proc"))  # the tests set it
TICK = os.sysconf("SC_CLK_TCK")
RESTS = (3, 4)  # places of idle and iowait
COUNTED = 8  # guests' time, behind these, is in user's already
GPU = (
    "nvidia-smi",
    "--query-gpu=name,utilization.gpu,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
SILENCE = 5  # seconds
FRESH = 2  # seconds for which what nvidia-smi said is good: it takes some of a processor
MIB = 2**20


def processors(stat: str, load: str) -> dict[str, Any]:
    """Return seconds of all processors since the boot, used and in all, and the load."""
    lines = stat.splitlines()
    ticks = [int(word) for word in lines[0].split()[1 : COUNTED + 1]]
    rest = sum(ticks[place] for place in RESTS)
    cores = sum(line.startswith("cpu") for line in lines) - 1
    total = sum(ticks)
    return {
        "cores": cores,
        "used": (total - rest) / TICK,
        "total": total / TICK,
        "load": float(load.split(maxsplit=1)[0]),
    }


def memory(meminfo: str) -> dict[str, int]:
    """Return its bytes: all of it, and what programs could have."""
    lines = (line.split() for line in meminfo.splitlines())
    found = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
    return {"total": found["MemTotal"], "available": found["MemAvailable"]}


def gpus(said: str) -> list[dict[str, Any]]:
    """Return what nvidia-smi says of each; a number that it does not know is None."""
    found = []
    for line in said.splitlines():
        words = [word.strip() for word in line.rsplit(",", 3)]
        if len(words) == len(GPU[1].split(",")):
            percent, used, total = (int(one) if one.isdecimal() else None for one in words[1:])
            sizes = (None if size is None else size * MIB for size in (used, total))
            names = ("memory_used", "memory_total")
            one = {"name": words[0], "percent": percent}
            found.append(one | dict(zip(names, sizes, strict=True)))
    return found


class Smi:
    """nvidia-smi, asked now and then; nobody waits twice for the same answer."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.said, self.at = "", 0.0

    async def ask(self) -> list[dict[str, Any]]:
        """Return the GPUs; none where there is no such program, or it hangs."""
        if not shutil.which(GPU[0]):
            return []
        async with self.lock:
            if time.monotonic() - self.at > FRESH:
                self.said = await self.run()
                self.at = time.monotonic()
        return gpus(self.said)

    @staticmethod
    async def run() -> str:
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            child = await asyncio.create_subprocess_exec(*GPU, stdout=pipe, stderr=null)
        except OSError:
            return ""
        try:
            out, _ = await asyncio.wait_for(child.communicate(), SILENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            return ""
        return out.decode(errors="replace") if child.returncode == 0 else ""


def doing(state: str, last_activity: dt.datetime, recorder: Any) -> tuple[str, float]:
    """Return what a kernel does, and for how many seconds it has."""
    now = time.monotonic()
    if recorder is not None:
        recorder.process()
        running = [e for e in recorder.executions.values() if e.running]
        if running:
            return ("waiting" if running[0].asking else "busy"), now - running[0].began
        if state in {"busy", "idle"}:
            # What it does between two cells, for its widgets, is no work.
            return "idle", now - recorder.active
    return state, (dt.datetime.now(dt.UTC) - last_activity).total_seconds()


async def kernels(server: Any) -> list[dict[str, Any]]:
    """Return the running kernels, with their notebooks."""
    sessions = await server.session_manager.list_sessions()
    recorders = getattr(server.kernel_manager, "recorders", {})
    found = []
    for model in server.kernel_manager.list_kernels():
        paths = [one["path"] for one in sessions if one["kernel"]["id"] == model["id"]]
        # A string as the API tells it, a datetime as the manager keeps it.
        last = model["last_activity"]
        at = dt.datetime.fromisoformat(last) if isinstance(last, str) else last
        state, seconds = doing(model["execution_state"], at, recorders.get(model["id"]))
        one = {"id": model["id"], "name": model["name"], "notebooks": paths}
        found.append(one | {"state": state, "seconds": round(max(0.0, seconds), 1)})
    return found


async def look(server: Any, smi: Smi) -> dict[str, Any]:
    """Return all of it."""
    stat, load, meminfo = ((PROC / name).read_text() for name in ("stat", "loadavg", "meminfo"))
    total, _, free = shutil.disk_usage(server.root_dir)
    return {
        "time": time.time(),
        "cpu": processors(stat, load),
        "memory": memory(meminfo),
        "disk": {"total": total, "free": free},
        "gpus": await smi.ask(),
        "kernels": await kernels(server),
    }
