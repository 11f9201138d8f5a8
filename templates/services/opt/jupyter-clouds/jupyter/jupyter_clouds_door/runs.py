"""What runs unattended, as this server sees it: folders below the work folder.

A run outlives this server: systemd runs it, at a word of the machine's watch
(docs/adr/0013-runs.md). Here its folder is made, and what its program writes down is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import time
from pathlib import Path, PurePosixPath
from typing import Any

from tornado import web

FOLDER, OURS = "runs", ".run"
GOING = Path(os.environ.get("JUPYTER_CLOUDS_RUNS", "/run/jupyter-clouds/runs"))
NAME = re.compile(r"\d{8}-\d{6}-[a-z0-9][a-z0-9-]{0,40}", re.ASCII)
KINDS = ("notebook", "script", "command")
LISTED = 50
PIECE = 2**18  # bytes of output in one answer
LOOK = 0.1  # seconds


class Runs:
    """The runs of this machine."""

    def __init__(self, root: str) -> None:
        self.folder = Path(root, FOLDER)

    def path(self, name: str) -> Path:
        """Return the run's folder; 404 where there is none."""
        path = self.folder / name
        if not NAME.fullmatch(name) or not (path / OURS / "plan.json").is_file():
            raise web.HTTPError(404, f"no run {name}")
        return path

    def prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Make its folder, with what was sent in it; nothing runs yet."""
        plan = planned(asked)
        self.folder.mkdir(exist_ok=True)
        # The work folder may be a repository: this is no part of the work.
        (self.folder / ".gitignore").write_text("*\n")
        title = re.sub(r"[^a-z0-9]+", "-", plan["title"].lower()).strip("-")[:30] or "run"
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        for number in range(100):
            name = f"{stamp}-{title}{f'-{number}' if number else ''}"
            try:
                (self.folder / name).mkdir()
            except FileExistsError:
                continue
            break
        else:
            raise web.HTTPError(409, "a hundred runs of that name began in this second")
        path = self.folder / name
        (path / OURS).mkdir()
        if plan["file"]:
            (path / plan["file"]).parent.mkdir(parents=True, exist_ok=True)
            (path / plan["file"]).write_text(str(asked.get("source", "")))
        (path / OURS / "plan.json").write_text(json.dumps(plan))
        return self.told(name)

    def forget(self, name: str) -> None:
        """Remove one that never began; 409 for any other."""
        path = self.path(name)
        if self.told(name)["state"] != "prepared":
            raise web.HTTPError(409, f"{name} has begun")
        shutil.rmtree(path)

    def told(self, name: str) -> dict[str, Any]:
        """Return what is known of it."""
        ours = self.path(name) / OURS
        plan = json.loads((ours / "plan.json").read_text())
        state = read(ours)
        if state.get("state", "running") == "running":
            going = (GOING / name).exists()
            begun = going or (ours / "begun").exists()
            # It may have ended meanwhile; and one that ended without a word was cut off.
            state = {"state": "running" if begun else "prepared"} | read(ours)
            if state["state"] == "running" and not going:
                state["state"] = "interrupted"
        if (ours / "settled").exists():
            plan["after"] = None
        return {"name": name, "folder": f"{FOLDER}/{name}", **plan, **state}

    def all(self) -> list[dict[str, Any]]:
        """Return the newest, newest first."""
        names = [one.name for one in self.folder.glob("*-*") if NAME.fullmatch(one.name)]
        found = []
        for name in sorted(names, reverse=True)[:LISTED]:
            try:
                found.append(self.told(name))
            except (web.HTTPError, OSError, ValueError):
                continue
        return found

    def text(self, name: str, start: int) -> tuple[str, int]:
        """Return what it printed from that byte on, and the byte to go on from.

        From below 0: so many of the last ones.
        """
        try:
            with (self.path(name) / OURS / "output.log").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = min(start, size) if start >= 0 else max(0, size + start)
                file.seek(begin)
                data = file.read(PIECE)
        except FileNotFoundError:
            return "", 0
        # A letter of several bytes is not cut in two, unless nothing comes after it.
        whole = data.decode(errors="ignore").encode() if len(data) == PIECE else data
        if not data.startswith(whole):
            whole = data
        return whole.decode(errors="replace"), begin + len(whole)

    async def news(self, name: str, start: int, seen: str, wait: float) -> dict[str, Any]:
        """Return what is new: at once where there is something, else within so many seconds."""
        ends = time.monotonic() + wait
        while True:
            known = self.told(name)
            text, after = self.text(name, start)
            mark = str(hash(json.dumps(known, sort_keys=True)))
            if text or mark != seen or time.monotonic() >= ends:
                return {"run": known, "text": text, "next": after, "seen": mark}
            await asyncio.sleep(LOOK)

    def mark(self, name: str, what: str) -> None:
        """Note that it was "begun"; that it is to "cancel", which its own program looks for.

        "settled": what was to be done after it is done, and not again whenever somebody looks.
        """
        (self.path(name) / OURS / what).touch()


def read(ours: Path) -> dict[str, Any]:
    """Return how far it is; nothing before its program has said a word."""
    try:
        found: dict[str, Any] = json.loads((ours / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def planned(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be done; 400 for what cannot be."""

    def texts(name: str) -> list[str]:
        found = asked.get(name) or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise web.HTTPError(400, f'"{name}" has to be a list of texts')
        return found

    kind, file = asked.get("kind"), asked.get("file") or ""
    if kind not in KINDS:
        raise web.HTTPError(400, f'"kind" has to be one of {", ".join(KINDS)}')
    if not isinstance(file, str) or (bool(file) == (kind == "command")):
        raise web.HTTPError(400, '"file" goes with a notebook or a script')
    outputs = texts("outputs")
    for one in [*outputs, *([file] if file else [])]:
        inside(one)
    parameters = asked.get("parameters") or {}
    if not isinstance(parameters, dict) or not all(map(str.isidentifier, parameters)):
        raise web.HTTPError(400, '"parameters" have to be names and values')
    name = PurePosixPath(file)
    return {
        "kind": kind,
        "title": str(asked.get("title") or name.stem or "run")[:100],
        "file": file,
        "executed": str(name.with_name(f"{name.stem}.executed.ipynb")) if file else "",
        "arguments": texts("arguments"),
        "parameters": parameters,
        "kernel": str(asked.get("kernel") or "python3"),
        "outputs": outputs,
        "after": asked.get("after") if asked.get("after") in ("stop", "down") else None,
    }


def inside(path: str) -> None:
    """400 for a path that leads out of the run's folder, or to what is ours in it."""
    parts = PurePosixPath(path).parts
    if not path or "\0" in path or path.startswith("/") or ".." in parts or parts[:1] == (OURS,):
        raise web.HTTPError(400, f"{path!r} is no path below the run's folder")
