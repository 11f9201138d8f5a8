"""The GPUs of a machine whose type has some, as its driver shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wrapper.deployment import logging_in, question, verify
from wrapper.deployment.events import Checked
from wrapper.errors import GpuError
from wrapper.gpus import nvidia

if TYPE_CHECKING:
    from wrapper.deployment.world import Address, World
    from wrapper.home import Home, Record
    from wrapper.notebook import Pin

# Its form: https://docs.nvidia.com/deploy/nvidia-smi/
_CODE = """
import json, subprocess
asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
try:
    found = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    print(json.dumps([found.returncode, found.stdout or found.stderr]))
except (OSError, subprocess.TimeoutExpired) as error:
    print(json.dumps([1, str(error)]))
"""


def check(world: World, home: Home, record: Record, where: Address, pin: Pin) -> None:
    """A kernel sees the GPUs, where the type has some; that was reported. GpuError."""
    kind = question.instance_type(record)
    if not nvidia(kind):
        return
    if record.place.kind == "local":
        world.report(Checked("GPU", ok=True, detail=f"not looked for: no {kind} is real here"))
        return
    with verify.checked(world, "GPU"), logging_in.logged_in(world, home, where, pin) as notebook:
        code, told = json.loads(notebook.run_cell(_CODE))
        gpus = [" ".join(line.split()) for line in told.splitlines() if line.strip()]
        if code or not gpus:
            said = gpus[0][:200] if gpus else "nothing"
            raise GpuError(
                f"{record.name} is a {kind}, and its kernels see no GPU: nvidia-smi said {said!r}.",
                hint="Its image lacks NVIDIA's driver, or another one than its kernel's: "
                "docs/troubleshooting.md",
            )
    world.report(Checked("GPU", ok=True, detail="; ".join(gpus)))
