"""What the notebook's server holds in memory, beside a plain JupyterLab on the same machine."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from wrapper.notebook import Notebook, pin

CELL = """
import json, os, re, subprocess, sys, tempfile, time

def resident(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

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
    print(json.dumps([ours, resident(plain.pid)]))
    plain.terminate()
    plain.wait()
"""


def server_memory(url: str, key_sha256: str, password: str) -> tuple[float, float]:
    """MiB of that notebook's server and of a plain one."""
    parts = urlsplit(url)
    seen = pin(str(parts.hostname), parts.port or 443, key_sha256=key_sha256)
    with Notebook(url, seen, password) as notebook:
        notebook.login()
        ours, plain = json.loads(notebook.run_cell(CELL))
    return float(ours), float(plain)
