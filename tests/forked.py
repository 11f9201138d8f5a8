"""Python programs that begin with what they import already read, each in a process of its own.

A Jupyter spends most of its start on reading libraries, the same ones each time. Here one Python
reads them, and is forked for each program: its environment, directory, words and files are the
program's own, and so is everything that it does. What libraries find out of the environment when
they are read is not to be among what is read before.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LONGEST = 2**20


class Child:
    """A program that was begun, as far as `subprocess.Popen` is needed."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid
        # It is nobody else's, also once it has ended: only `poll` lets go of it.
        self._file = os.pidfd_open(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended; a signal's number, negative."""
        if self.returncode is None:
            self.returncode = self._nursery.ask({"ended": self.pid})
            if self.returncode is not None:
                os.close(self._file)
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """Likewise, waited for; TimeoutExpired."""
        if self.poll() is None:
            select.select([self._file], [], [], seconds)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), seconds or 0)
        return code

    def send(self, number: signal.Signals) -> None:
        """It gets the signal unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._file, number)


class Nursery:
    """The Python that has read the modules; begun when the first program is."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def begin(
        self, *words: str, environment: Mapping[str, str], folder: Path, output: int
    ) -> Child:
        """What `python WORDS` would begin, in the folder; it writes to the file of that number."""
        asked = {"words": words, "environment": dict(environment), "folder": str(folder)}
        return Child(self, self.ask(asked, output))

    def ask(self, asked: Mapping[str, Any], *files: int) -> Any:
        """What it answers."""
        with self._lock:
            self._socket = self._socket or self._begun()
            socket.send_fds(self._socket, [json.dumps(asked).encode()], files)
            return json.loads(self._socket.recv(_LONGEST))

    def _begun(self) -> socket.socket:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            child = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *self._modules],
                env={"PATH": os.environ["PATH"]},
                pass_fds=[theirs.fileno()],
            )

        def end() -> None:
            ours.close()
            child.wait()

        atexit.register(end)
        return ours


def _serve(asking: socket.socket) -> dict[str, Any]:
    """In a child: what it is to do. Does not return where there are no more."""
    begun: set[int] = set()
    while True:
        text, files, *_ = socket.recv_fds(asking, _LONGEST, 1)
        if not text:
            for pid in begun:
                os.kill(pid, signal.SIGKILL)
            raise SystemExit
        asked = json.loads(text)
        if pid := asked.get("ended"):
            done, status = os.waitpid(pid, os.WNOHANG)
            begun.discard(done)
            answer = os.waitstatus_to_exitcode(status) if done else None
        elif not (answer := os.fork()):
            asking.close()
            for number in (1, 2):
                os.dup2(files[0], number)
            os.close(files[0])
            return dict(asked)
        else:
            begun.add(answer)
            os.close(files[0])
        asking.send(json.dumps(answer).encode())


def _become(words: list[str], environment: dict[str, str], folder: str) -> None:
    """What Python does before it runs a program."""
    # Python's own where no language is set: https://peps.python.org/pep-0538/
    coerced = {} if {"LANG", "LC_ALL"} & {*environment} else {"LC_CTYPE": "C.UTF-8"}
    os.environ.clear()
    os.environ.update({**coerced, **environment})
    os.chdir(folder)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    sys.path[:0] = ["", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    assert words[0] == "-m"
    sys.argv = words[1:]


def main() -> None:
    """One process reads the modules, and each of its children runs a program."""
    number, *modules = sys.argv[1:]
    sys.path.pop(0)  # where this file lies
    with contextlib.ExitStack() as stack:
        asking = stack.enter_context(socket.socket(fileno=int(number)))
        # A grammar that jsonschema would have compiled: tests.unit.conftest.without_grammar.
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # as if it were not there
        for module in modules:
            importlib.import_module(module)
        gc.freeze()
        asked = _serve(asking)
    _become(**asked)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
