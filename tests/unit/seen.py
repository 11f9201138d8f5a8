"""A machine as the first look finds it, and what is seen of a busy one."""

from __future__ import annotations

from wrapper.deployment.live import Live
from wrapper.notebook import Autostop, Gpu, Kernel, Resources

GIB = 2**30
FIRST = Resources(
    time=1.0,
    cores=4,
    load=0.5,
    cpu_used=100.0,
    cpu_total=1000.0,
    memory_total=16 * GIB,
    memory_available=12 * GIB,
    disk_total=100 * GIB,
    disk_free=40 * GIB,
    gpus=(Gpu("Tesla T4", 37, 2 * GIB, 15 * GIB),),
    kernels=(Kernel("k-1", "python3", ("train.ipynb",), "busy", 125.0),),
    notice="Gone at {time}",
    notice_time="2026-11-23T10:11:12Z",
    autostop=None,
)

SEEN = Live(
    name="moon",
    at="2026-11-23T10:00:00+00:00",
    state="running",
    answers=True,
    told_at="2026-11-23T10:00:00+00:00",
    cpu_percent=75.0,
    cores=4,
    load=0.5,
    memory_used_bytes=4 * GIB,
    memory_total_bytes=16 * GIB,
    gpus=FIRST.gpus,
    kernels=(*FIRST.kernels, Kernel("k-2", "julia", (), "waiting", 7300)),
    notice="Gone soon",
    autostop=Autostop((), 45, 0, "2026-11-23T09:00:00Z", None, "2026-11-23T09:59:00Z", None),
    spent=1.234,
    hourly_price=0.5,
)
