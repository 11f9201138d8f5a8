"""A machine in a folder, with the programs of both channels: metadata, a home, a console."""

from __future__ import annotations

import http.server
import json
import os
import pwd
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine_tree import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 30


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Metadata

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, body: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_PUT(self) -> None:
        known = self.server
        known.tokens += 1
        known.ttl = self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200, f"token-{known.tokens}")

    def do_GET(self) -> None:
        known, path = self.server, self.path.removeprefix("/latest/meta-data/")
        known.asked.append(path)
        if self.headers["X-aws-ec2-metadata-token"] not in known.good():
            self.answer(401)
        elif known.broken:
            known.broken(self)
        elif (text := known.texts.get(path)) is not None:
            self.answer(200, text)
        else:
            self.answer(404, "<html>not here</html>")


class Metadata(http.server.ThreadingHTTPServer):
    """The instance metadata service, version 2."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts = {"instance-life-cycle": "spot"}
        self.asked: list[str] = []
        self.tokens, self.expired, self.ttl = 0, 0, ""
        self.broken: Callable[[_Handler], None] | None = None
        # For as long as the tests run: it looks for a wish to end once an hour, so nobody has one.
        threading.Thread(target=self.serve_forever, args=(3600,), daemon=True).start()

    def good(self) -> set[str]:
        return {f"token-{number}" for number in range(self.expired + 1, self.tokens + 1)}


class Machine:
    """The folder, and what runs in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.programs = lay_out(root) / "services"
        self.metadata = Metadata()
        self.metadata_port = self.metadata.server_port
        for folder in ("dev", "run", "tools", "home/work"):
            (root / folder).mkdir(parents=True)
        (root / "dev/console").touch()

    def tool(self, name: str, script: str) -> None:
        """A program of that name is found first."""
        path = self.root / "tools" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root}/tools:{os.environ['PATH']}",
            "CLOUDS_ROOT": str(self.root),
            "CLOUDS_USER": pwd.getpwuid(os.geteuid()).pw_name,
            "CLOUDS_HOME": str(self.home),
            "CLOUDS_METADATA": f"http://127.0.0.1:{self.metadata_port}",
            "CLOUDS_WATCH_PAUSE": "0.05",
            "JUPYTER_CLOUDS_DOOR": str(self.root / "run/jupyter.sock"),
        }

    def start(
        self, program: str, *words: str, within: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*within, sys.executable, "-Bu", self.programs / f"{program}.py", *words],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def rescue(
        self, reason: str = "interruption", *, within: tuple[str, ...] = ()
    ) -> tuple[int, str]:
        """It has run, as its unit runs it: exit code and what it printed."""
        child = self.start("rescue", reason, within=within)
        output, _ = child.communicate(timeout=120)
        return child.returncode, output

    def notice(self, **fields: str) -> None:
        """What the watch leaves for the rescue."""
        (self.root / "run/jupyter-clouds").mkdir(exist_ok=True)
        path = self.root / "run/jupyter-clouds/notice-interruption.json"
        path.write_text(json.dumps(fields))

    def console(self) -> list[str]:
        """The lines, seconds left out."""
        text = (self.root / "dev/console").read_text()
        return [re.sub(r"seconds=[\d.]+", "seconds=S", line) for line in text.split("\n") if line]

    def report(self) -> dict[str, Any]:
        path = self.root / "var/lib/jupyter-clouds/rescue.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def hook(self, script: str) -> None:
        """The user has a program for interruptions."""
        path = self.home / ".config/jupyter-clouds/on-interruption"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def limit(self, step: str, seconds: int) -> None:
        """The step may take so long, which a test would not wait for."""
        path = self.programs / "rescue.py"
        text, count = re.subn(rf'("{step}": )\d+', rf"\g<1>{seconds}", path.read_text())
        assert count == 1
        path.write_text(text)


def after_a_sleep(seconds: int) -> tuple[str, ...]:
    """What makes a program see a machine that has hibernated for so long since it booted.

    https://man7.org/linux/man-pages/man7/time_namespaces.7.html
    """
    leap = ("unshare", "--user", "--map-root-user", "--time", f"--boottime={seconds}")
    if subprocess.run([*leap, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this computer makes no time namespaces")
    return leap


def until(done: Callable[[], object]) -> None:
    """It is so."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
