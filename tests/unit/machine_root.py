"""A folder that the machine's programs take for the machine's root, and a metadata service."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import platform
import pwd
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.machine_tree import OURS, programs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BIN = programs() / "machine" / OURS / "bin"
MIB = 2**20
SILENT = 100
"""Bytes after which a connection stays open and says nothing more."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.answer(200, b"token")

    def do_GET(self) -> None:
        machine = self.server.machine
        prefix, _, rest = self.path.partition("/latest/meta-data/")
        if not prefix and rest:
            if rest in machine.broken:
                self.answer(500, b"")
                return
            tokened = self.headers["X-aws-ec2-metadata-token"] == "token"
            value = machine.metadata.get(rest)
            self.answer(200 if value and tokened else 404, (value or "").encode())
            return
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        machine.requests.append(begin)
        status, limit = machine.replies.pop(0) if machine.replies else (206, None)
        body = machine.download[0 if status == 200 else begin :]
        # A limit is a connection that is lost there.
        self.answer(status, body[:limit] if status < 400 else b"", len(body))
        if limit == SILENT:
            self.wfile.flush()
            time.sleep(60)


class _Server(http.server.ThreadingHTTPServer):
    machine: MachineRoot


class MachineRoot:
    """What cloud-init leaves behind, in a folder; phases run in it as on a machine."""

    def __init__(self, root: Path) -> None:
        account = pwd.getpwuid(os.geteuid())
        self.root = root
        self.user, self.home = account.pw_name, account.pw_dir
        self.metadata: dict[str, str] = {"local-ipv4": "10.0.0.5"}
        self.broken: set[str] = set()
        """Of the metadata: what it is asked for in vain."""
        self.replies: list[tuple[int, int | None]] = []
        self.requests: list[int] = []
        self.pauses = "0.01 0.01"
        self._settings: dict[str, Any] = {
            "name": "notebook",
            "address": None,
            "domain": None,
            "port": 9999,
            "https": True,
            "password_hash": "argon2:x",
            "metadata_access": False,
            "sudo": False,
        }
        server = _Server(("127.0.0.1", 0), _Handler)
        server.machine = self
        # For as long as the tests run: it looks for a wish to end once an hour.
        threading.Thread(target=server.serve_forever, args=(3600,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        for folder in ("dev", "etc/jupyter-clouds", "proc", "usr/local/bin", "tools"):
            (root / folder).mkdir(parents=True)
        (root / "dev/console").touch()
        self.instance("i-0123456789abcdef0")
        self.tool("systemctl", "exit 0")
        self.memory(8192 * MIB)
        self.installer('mkdir -p "$4/bin"')

    def tool(self, name: str, script: str) -> Path:
        """A program of that name is found first."""
        path = self.root / "tools" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return path

    def instance(self, instance_id: str) -> None:
        """cloud-init has found this id."""
        path = self.root / "var/lib/cloud/data/instance-id"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{instance_id}\n")

    def memory(self, size: int) -> None:
        """The machine has so many bytes of memory."""
        (self.root / "proc/meminfo").write_text(f"MemTotal: {size // 1024} kB\nMemFree: 1 kB\n")

    def installer(self, script: str, *, sha256: str | None = None) -> None:
        """What is downloaded as Miniforge: a script called with -b -u -p PREFIX."""
        self.download = f"#!/bin/bash\n{script}\n".encode()
        digest = sha256 or hashlib.sha256(self.download).hexdigest()
        source = {"url": f"{self.url}/miniforge.sh", "sha256": digest}
        self.settings(miniforge={platform.machine(): source})

    def settings(self, pauses: str | None = None, **changes: object) -> None:
        """machine.json, with these changes from now on."""
        self.pauses = self.pauses if pauses is None else pauses
        self._settings |= changes
        path = self.root / "etc/jupyter-clouds/machine.json"
        path.write_text(json.dumps(self._settings))

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root}/tools:{os.environ['PATH']}",
            "CLOUDS_ROOT": str(self.root),
            "CLOUDS_USER": self.user,
            "CLOUDS_PAUSES": self.pauses,
            "CLOUDS_METADATA": self.url,
        }

    def start(self, name: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-B", BIN / "phase.py", name],
            env=self.environment() | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def phase(self, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        """The phase has run, as its unit runs it."""
        child = self.start(name, **more)
        output, _ = child.communicate(timeout=60)
        # What it has finished is noted behind its back, once it is on the disk.
        deadline = time.monotonic() + 30
        while [*self.root.glob("var/lib/jupyter-clouds/*.unsynced")]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return subprocess.CompletedProcess(child.args, child.returncode, output, "")

    def python(self, lines: Iterable[str]) -> str:
        """What a few lines print that import the machine's programs."""
        code = "\n".join([f"import sys; sys.path.insert(0, {str(BIN)!r})", *lines])
        return subprocess.check_output(
            [sys.executable, "-B", "-c", code], env=self.environment(), text=True
        )

    def console(self) -> str:
        return (self.root / "dev/console").read_text()

    def log(self, name: str) -> str:
        return (self.root / f"var/log/jupyter-clouds/{name}.log").read_text()

    def status(self) -> dict[str, dict[str, Any]]:
        text = (self.root / "run/jupyter-clouds/status.json").read_text()
        phases: dict[str, dict[str, Any]] = json.loads(text)["phases"]
        return phases
