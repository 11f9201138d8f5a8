"""What a data scientist has under way on a notebook, and what of it is still there afterwards."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.machine.live import answering, open_channels
from wrapper.errors import CloudsError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.live import Live
    from wrapper.notebook import Notebook

EDITED, LONG, WRITER, FOLDER = "edited.ipynb", "long.ipynb", "writes.ipynb", "written"
EDIT_SECONDS, PRINT_SECONDS, WRITE_SECONDS = 0.5, 0.3, 0.2
CELL = "0123abcd"
PRINTS = f"""import time
for i in range(100_000):
    print(i, time.time(), flush=True)
    time.sleep({PRINT_SECONDS})"""
# As data frames are saved: written and closed, with no word to the kernel about the disk.
WRITES = f"""import hashlib, os, shutil, threading, time
shutil.rmtree({FOLDER!r}, ignore_errors=True)
os.makedirs({FOLDER!r})
def write():
    for i in range(100_000):
        body = f"{{i}} {{time.time()}}".ljust(4000)
        with open(f"{FOLDER}/{{i:06}}.txt", "w") as file:
            file.write(body + hashlib.sha256(body.encode()).hexdigest())
        time.sleep({WRITE_SECONDS})
threading.Thread(target=write).start()"""
REPOSITORY = """import subprocess
print(subprocess.run('''
rm -rf project; git init -q -b main project; cd project
git config user.name Ada; git config user.email ada@example.org
echo committed > analysis.py; git add .; git commit -qm first
echo in progress >> analysis.py; echo new > idea.txt
git status --porcelain
cd ..; rm -rf hooked .clouds; mkdir -p ~/.config/jupyter-clouds
printf '#!/bin/sh\necho "$1" >> hooked\n' > ~/.config/jupyter-clouds/on-interruption
chmod +x ~/.config/jupyter-clouds/on-interruption
''', shell=True, capture_output=True, text=True))"""
LOOK = f"""import glob, hashlib, json, subprocess
def git(*words):
    return subprocess.run(["git", "-C", "project", *words], capture_output=True, text=True).stdout
files = {{}}
for path in glob.glob("{FOLDER}/*.txt"):
    text = open(path, errors="replace").read()
    good = hashlib.sha256(text[:-64].encode()).hexdigest() == text[-64:] and len(text) > 64
    files[int(path[-10:-4])] = float(text.split()[1]) if good else None
branch = git("for-each-ref", "--format=%(refname:short)", "refs/heads/clouds").split()
names = ("analysis.py", "idea.txt") if branch else ()
saved = {{name: git("show", branch[0] + ":" + name) for name in names}}
hooked = [open(path).read() for path in glob.glob("hooked")]
listed = [one for path in glob.glob(".clouds/kernels-*.json") for one in json.load(open(path))]
listed = [one["notebooks"] for one in listed if one["running"]]
print(json.dumps({{"files": files, "branch": branch, "saved": saved, "hooked": hooked,
    "listed": sum(listed, []), "status": git("status", "--porcelain")}}))"""
# Every file of the work folder but those that change by themselves, and the hook. Jupyter has what
# it replaces beside it for a moment, as .~NAME.
DIGESTS = f"""import hashlib, json, os
found = {{}}
for folder, inside, names in [*os.walk("."), *os.walk(os.path.expanduser("~/.config"))]:
    inside[:] = [one for one in inside if one not in (".git", ".clouds", ".ipynb_checkpoints")]
    for name in {{*names}} - {{{EDITED!r}, {LONG!r}, {WRITER!r}, "hooked"}}:
        if name.startswith(".~"):
            continue
        path = os.path.join(folder, name)
        found[path] = hashlib.sha256(open(path, "rb").read()).hexdigest()
print(json.dumps(found))"""


def notebook(source: str, kind: str = "code") -> dict[str, Any]:
    """A notebook of one cell, as the contents API takes it."""
    cell: dict[str, Any] = {"id": CELL, "cell_type": kind, "source": source, "metadata": {}}
    if kind == "code":
        cell |= {"outputs": [], "execution_count": None}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    return {"type": "notebook", "format": "json", "content": content}


def request(code: str, cell: str | None = CELL) -> dict[str, Any]:
    """As JupyterLab asks for the cell to be run."""
    return {
        "header": {
            "msg_id": f"work-{time.time_ns()}",
            "msg_type": "execute_request",
            "session": "work",
            "username": "work",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {"cellId": cell} if cell else {},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": True, "allow_stdin": False},
    }


@dataclass
class Left:
    """What was there when the machine was back."""

    edits_lost: int
    """Saves that Jupyter had confirmed and the file lacks."""
    output_seconds: float
    """Of the long cell's output before the end, which its notebook lacks."""
    file_seconds: float
    """Of the files written before the end, which the disk lacks at their end."""
    broken: dict[int, float]
    """Files that are torn, or lack in the middle, by number: how long before the end, at most."""
    branch: list[str]
    saved: dict[str, str]
    status: str
    hooked: list[str]
    """With which reasons the user's hook was called."""
    listed: list[str]
    """Notebooks with a running cell in the list of kernels."""
    bytes_lost: int
    """All of it: edits, output, files."""


def digests(live: Live) -> dict[str, str]:
    """Of every file at rest, by path."""
    with live.logged_in() as there:
        found: dict[str, str] = json.loads(there.run_cell(DIGESTS))
        return found


def edits(number: int) -> str:
    """What the edited notebook holds after so many."""
    return "\n".join(f"edit {one}" for one in range(number + 1))


@dataclass
class Work:
    """Going on between `under_way` and the machine's end."""

    live: Live
    confirmed: list[tuple[float, int]] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """A repository with changes, a long cell with nobody looking, files being written."""
        with self.live.logged_in() as there:
            there.run_cell(REPOSITORY)
            there.call("PUT", f"/api/contents/{LONG}", notebook(PRINTS))
            there.call("PUT", f"/api/contents/{EDITED}", notebook(edits(0), "markdown"))
            for code, path in ((PRINTS, LONG), (WRITES, WRITER)):
                self._run(there, code, path)
            answering(lambda: printed(there, at_least=3), within=60)
        threading.Thread(target=self._edit, daemon=True).start()

    def _run(self, there: Notebook, code: str, path: str) -> None:
        session = {"path": path, "type": "notebook", "name": path, "kernel": {"name": "python3"}}
        kernel = there.call("POST", "/api/sessions", session)["kernel"]["id"]
        channels = open_channels(self.live, there, kernel, origin=self.live.url.rstrip("/"))
        channels.send(json.dumps(request(code)))
        # Until the kernel has it; a tab that is closed earlier may take the request along.
        while json.loads(channels.recv())["msg_type"] != "execute_input":
            pass
        channels.close()

    def _edit(self) -> None:
        number = 0
        with suppress(CloudsError), self.live.logged_in() as there:
            while not self._ending.wait(EDIT_SECONDS):
                number += 1
                there.call("PUT", f"/api/contents/{EDITED}", notebook(edits(number), "markdown"))
                self.confirmed.append((time.time(), number))

    @contextmanager
    def under_way(self) -> Iterator[Work]:
        """Somebody is at work until the machine ends, or the block does."""
        self.begin()
        try:
            yield self
        finally:
            self._ending.set()

    def left(self, live: Live, ended: float) -> Left:
        """What is there of it on the machine that answers now; the one of before `ended` then."""
        with live.logged_in() as there:
            cells = there.call("GET", f"/api/contents/{EDITED}?content=1")["content"]["cells"]
            lines = printed(there, at_least=1)
            found = json.loads(there.run_cell(LOOK))
        last = max(number for _, number in self.confirmed)
        files_there = {int(number): moment for number, moment in found["files"].items()}
        whole = [moment for moment in files_there.values() if moment is not None]
        assert [int(number) for number, _ in lines] == list(range(len(lines)))
        output = max(0.0, ended - lines[-1][1] - PRINT_SECONDS)
        files = max(0.0, ended - max(whole, default=0) - WRITE_SECONDS)
        text = cells[0]["source"]
        lost = len(edits(last)) - len(text) if edits(last).startswith(text) else len(edits(last))
        broken = _broken(files_there, ended)
        return Left(
            edits_lost=last - int(text.split()[-1]),
            output_seconds=round(output, 1),
            file_seconds=round(files, 1),
            broken=broken,
            branch=found["branch"],
            saved=found["saved"],
            status=found["status"],
            hooked=found["hooked"],
            listed=found["listed"],
            bytes_lost=max(0, lost)
            + int(output / PRINT_SECONDS) * 24
            + (int(files / WRITE_SECONDS) + len(broken)) * 4064,
        )


def _broken(files: dict[int, float | None], ended: float) -> dict[int, float]:
    """Those below the last that are not there whole, and how long before the end they were."""
    found, before = {}, min(moment for moment in files.values() if moment is not None)
    for number in range(max(files)):
        if (moment := files.get(number)) is None:
            found[number] = round(ended - before, 1)
        else:
            before = moment
    return found


def printed(there: Notebook, *, at_least: int) -> list[tuple[float, float]]:
    """Number and time of each line in the long cell's outputs. NoAnswerError: too few."""
    cells = there.call("GET", f"/api/contents/{LONG}?content=1")["content"]["cells"]
    text = "".join("".join(one.get("text", "")) for one in cells[0]["outputs"])
    lines = [line.split() for line in text.splitlines()]
    if len(lines) < at_least:
        raise NoAnswerError(f"{LONG} holds {len(lines)} lines of output, not {at_least}")
    return [(float(number), float(moment)) for number, moment in lines]
