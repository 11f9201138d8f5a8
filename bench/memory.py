"""What a machine and its notebook's server hold in memory, a plain JupyterLab beside them."""

from __future__ import annotations

import json

from bench.embedded import logged_in

CELL = """
import json, os, re, subprocess, sys, tempfile, time

def resident(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

fields = dict(line.split(":") for line in open("/proc/meminfo"))
total, free = (int(fields[name].split()[0]) / 1024 for name in ("MemTotal", "MemAvailable"))
ours = resident(os.getppid())
jupyter = "/opt/conda/envs/server/bin/jupyter"
with tempfile.TemporaryDirectory() as home:
    environment = {"HOME": home, "PATH": os.defpath}
    command = [jupyter, "lab", "--no-browser", "--port=18888"]
    plain = subprocess.Popen(command, env=environment, cwd=home, stderr=subprocess.PIPE, text=True)
    for line in plain.stderr:
        if "is running at" in line:
            break
    time.sleep(3)
    print(json.dumps([total - free, ours, resident(plain.pid)]))
    plain.terminate()
    plain.wait()
"""


def in_use(url: str, key_sha256: str, password: str) -> tuple[float, float, float]:
    """MiB of the machine with one kernel, of its notebook's server, of a plain one beside it."""
    with logged_in(url, key_sha256, password) as notebook:
        machine, ours, plain = json.loads(notebook.run_cell(CELL))
    return float(machine), float(ours), float(plain)
