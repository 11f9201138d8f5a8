"""A machine that runs things unattended: its Jupyter, and a stand-in for the watch and systemd."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.machine_tree import lay_out, tell_jupyter
from tests.unit.conftest import PASSWORD, free_port, mint, serving, without_grammar
from wrapper.certificate import fingerprints
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wrapper.notebook import Pin


class Unattended:
    """The machine in a folder."""

    def __init__(self, root: Path, url: str, pinned: Pin) -> None:
        self.root, self.url, self.pinned = root, url, pinned
        self.work = root / "home/work"
        self.going = root / "going"
        self.wishes: list[dict[str, Any]] = []
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.listening: socket.socket | None = None

    def listen(self) -> None:
        """The watch is there."""
        path = self.root / "autostop.sock"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        threading.Thread(target=self._answer, args=(self.listening,), daemon=True).start()

    def deaf(self) -> None:
        """The watch is not there."""
        (self.root / "autostop.sock").unlink()

    def _answer(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                wish = json.loads(connection.makefile().readline())
                self.wishes.append(wish)
                if wish["do"] == "run":
                    self._start(wish["name"])
                connection.sendall(b"{}")

    def _start(self, name: str) -> None:
        """As systemd does: a folder as long as it runs, and a program."""
        folder = self.going / name
        folder.mkdir(parents=True)
        program = self.root / "opt/jupyter-clouds/services/run.py"
        child = subprocess.Popen(
            [sys.executable, "-sB", program, name],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root / "home"),
                "CLOUDS_ROOT": str(self.root),
                "CLOUDS_HOME": str(self.root / "home"),
                "IPYTHONDIR": str(self.root / "ipython"),
                **without_grammar(self.root),  # as in the server's environment of a machine
            },
        )
        self.running[name] = child

        def wait() -> None:
            child.wait()
            folder.rmdir()

        threading.Thread(target=wait, daemon=True).start()

    def notebook(self, *_: Any, **__: Any) -> Notebook:
        """The adapter, not logged in."""
        return Notebook(self.url, self.pinned, PASSWORD)

    def status(self, environment: str) -> None:
        """The machine's phases."""
        phases = {"environment": {"state": environment, "seconds": 1.0, "error": "no such package"}}
        (self.root / "status.json").write_text(json.dumps({"phases": phases}))


@contextmanager
def machine(root: Path) -> Iterator[Unattended]:
    """It runs, and everything that it started ends with the block."""
    for name in ("home/work", "state/tls", "going"):
        (root / name).mkdir(parents=True)
    minted = mint("127.0.0.1")
    minted.write(root / "state/tls")
    port = free_port()
    tell_jupyter(root, port, PASSWORD, work=root / "home/work", state=root / "state")
    folder = lay_out(root)
    # There is no conda here to activate.
    (folder / "bin/kernel").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    with serving(
        root,
        port,
        *("-m", "jupyterlab", "--config", str(folder / "jupyter/jupyter_server_config.py")),
        "--allow-root",
        JUPYTER_CLOUDS_NOTEBOOK_JSON=str(root / "notebook.json"),
        JUPYTER_CLOUDS_STATUS_JSON=str(root / "status.json"),
        JUPYTER_CLOUDS_DOOR=str(root / "door.sock"),
        JUPYTER_CLOUDS_AUTOSTOP=str(root / "autostop.sock"),
        JUPYTER_CLOUDS_RUNS=str(root / "going"),
    ):
        key = fingerprints(ssl.PEM_cert_to_DER_cert(minted.certificate)).key_sha256
        pinned = pin("127.0.0.1", port, key_sha256=key)
        found = Unattended(root, f"https://127.0.0.1:{port}", pinned)
        found.status("done")
        found.listen()
        try:
            yield found
        finally:
            for child in found.running.values():
                child.kill()
            if found.listening:
                found.listening.close()
